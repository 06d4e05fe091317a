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
    card = _card(bundle)
    name = metadata["corpus"]["name"]
    what = f"acted speech ({name})" if bundle.resolve() == BUNDLE.resolve() else name
    score = _score(card)
    tested = f", weighted F1 {score} on its test split" if score else ""
    return (
        f"Trained on {what}{tested}: on other voices, languages and recordings, such as real conversations, it may be "
        f"wrong more often, and sure of itself.{_licence(card)}"
    )


def _card(bundle: Path) -> str:
    """Return the card of a bundle; empty if there is none."""
    try:
        return read_limited(bundle / "README.md", _LARGEST_CARD).decode("utf-8")
    except (OSError, ValueError):
        return ""


def _licence(card: str) -> str:
    """Return a sentence on the licence of the weights as the head of a card names it; empty if it does not.

    A licence of Creative Commons is that of the data.
    """
    head = re.match(r"---\n(.*?)^---$", card, re.MULTILINE | re.DOTALL)
    found = re.search(r"^license: ([\w.-]{1,40})$", head[1], re.MULTILINE | re.ASCII) if head else None
    if not head or not found:
        return ""
    if not found[1].startswith("cc"):
        return f" Weights: {found[1]}."
    data = re.search(r"^datasets:\n- ([\w.-]{1,40})$", head[1], re.MULTILINE | re.ASCII)
    return f" Weights: {found[1].upper()}{f', as {data[1].upper()}' if data else ''}."


def _score(card: str) -> str:
    """Return the score of a bundle's own file on test as its card states it; empty if the card does not."""
    found = re.search(r"^\| weighted, this file \| (0\.\d{3}) \|$", card, re.MULTILINE | re.ASCII)
    return found[1] if found else ""
