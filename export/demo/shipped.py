"""The bundle that is part of the package, and what is printed about a bundle where it is used."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from export.bundle_files import read_limited

BUNDLE = Path(__file__).with_name("bundle")
_LARGEST_CARD = 1 << 20


def limits(bundle: Path, metadata: dict[str, Any]) -> str:
    """Return in a line what a model was trained on, and what to expect of it elsewhere."""
    name = metadata["corpus"]["name"]
    what = f"acted speech ({name})" if bundle.resolve() == BUNDLE.resolve() else name
    score = _score(bundle)
    tested = f", weighted F1 {score} on its test split" if score else ""
    return (
        f"Trained on {what}{tested}: on other voices, languages and recordings, such as real conversations, it may be "
        "wrong more often, and sure of itself."
    )


def _score(bundle: Path) -> str:
    """Return the score of a bundle's own file on test as its card states it; empty if the card does not."""
    try:
        card = read_limited(bundle / "README.md", _LARGEST_CARD).decode("utf-8")
    except (OSError, ValueError):
        return ""
    found = re.search(r"^\| weighted, this file \| (0\.\d{3}) \|$", card, re.MULTILINE | re.ASCII)
    return found[1] if found else ""
