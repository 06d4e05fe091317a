"""The nearest of several names, for messages about one that does not exist."""

from __future__ import annotations

import difflib
from collections.abc import Sequence


def choices(name: object, names: Sequence[str]) -> str:
    """Return ``did you mean X? there are X, Y, Z``; without a similar name only the second half."""
    near = difflib.get_close_matches(str(name), names, 1)
    return (f"did you mean {near[0]}? " if near else "") + f"there are {', '.join(names)}"
