"""The possible outcomes of a claim."""

from __future__ import annotations

from typing import Literal

from replicate.corpus.types import Control

Outcome = Literal[
    "reproduced",
    "contradicted",
    "undecided",
    "found as built",
    "missed",
    "not built in",
    "nothing found, as built",
    "found although not built in",
    "not tested",
]
# By kind of corpus: an outcome as it should be, one as it should not be, and one that tells neither.
OUTCOMES: dict[Control, tuple[Outcome, Outcome, Outcome]] = {
    "": ("reproduced", "contradicted", "undecided"),
    "positive": ("found as built", "missed", "not built in"),
    "negative": ("nothing found, as built", "found although not built in", "not tested"),
}
