from __future__ import annotations

from pathlib import Path

from export.validate.check import Check, Wrong, attempt
from replicate.errors import BadBundle, CorruptRun
from replicate.store.record import corrupt


def fails(error: Exception) -> Check:
    def check() -> str:
        raise error

    return attempt("a", check)


def test_a_check_that_raises_has_failed_and_says_why() -> None:
    assert fails(Wrong("x is 3")) == Check("a", False, "x is 3")
    assert fails(BadBundle("no\nbundle")).found == "no bundle"
    assert fails(ValueError("x" * 1000)).found == "ValueError: " + "x" * 300


def test_nothing_trains_the_run_of_a_bundle_again() -> None:
    error = corrupt(Path("run"), "cut")
    assert isinstance(error, CorruptRun) and "--repair" in str(error)
    assert fails(error).found == "run folder run is damaged (cut)"
