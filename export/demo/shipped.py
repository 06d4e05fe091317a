"""The bundle that is part of the package, and what is printed about a bundle where it is used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

BUNDLE = Path(__file__).with_name("bundle")


def limits(bundle: Path, metadata: dict[str, Any]) -> str:
    """Return in a line what a model was trained on, and what to expect of it elsewhere."""
    name = metadata["corpus"]["name"]
    return (
        f"Trained on {name}: on other voices, languages and recordings, such as real conversations, it may be wrong "
        "more often, and sure of itself."
    )
