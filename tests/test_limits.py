"""Messages show any value in a few characters, and files are refused once they unpack to more than they may."""

from __future__ import annotations

import resource
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicate.errors import NotThisFormat, TooLarge, TooLittleMemory
from replicate.limits import MIB, Budget, in_mib, require_address_space, shown

LAUGHS: Any = "ha"
for _ in range(60):
    LAUGHS = [LAUGHS] * 10


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("a", "'a'"),
        ("a" * 50, f"'{'a' * 40}'..."),
        (b"\xff", r"b'\xff'"),
        (3, "3"),
        (True, "True"),
        (None, "None"),
        (0.5, "0.5"),
        (1 << 40_000, "an integer of 40,001 bits"),
        (-(1 << 40_000), "an integer of 40,001 bits"),
        (np.int8(3), "3"),
        (np.str_("a"), "'a'"),
        (LAUGHS, "a list"),
        ({"a": LAUGHS}, "a dict"),
        ((LAUGHS,), "a tuple"),
        (np.zeros(2, object), "a ndarray"),
        (object(), "an object"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_values_are_shown_in_a_few_characters(value: Any, words: str) -> None:
    assert shown(value) == words


@given(st.recursive(st.integers() | st.text() | st.binary() | st.floats(), lambda inner: st.lists(inner)))
def test_whatever_is_shown_is_one_short_line(value: Any) -> None:
    found = shown(value)
    assert len(found) < 420 and "\n" not in found  # ten characters for each that cannot be printed


def test_a_budget_allows_what_the_size_of_a_file_explains() -> None:
    budget = Budget(Path("a.npz"), 1000, MIB, 2, "use another file")
    budget.take(MIB)
    budget.take(2000)
    with pytest.raises(TooLarge) as caught:
        budget.take(1)
    assert str(caught.value) == (
        "a.npz unpacks to 2 MiB or more, where a file of its kind and size may unpack to 2 MiB (1 MiB and 2 times its "
        "size): use another file"
    )


def test_sizes_in_words() -> None:
    assert in_mib(1) == "1 MiB"
    assert in_mib(3 * 2**30) == "3,072 MiB"
    assert in_mib(10**100) == "over 8 EiB"


def test_a_small_limit_of_the_address_space_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for limit in (resource.RLIM_INFINITY, 500 * MIB):
        monkeypatch.setattr(resource, "getrlimit", lambda which, limit=limit: (limit, limit))
        require_address_space(500 * MIB, "openSMILE")
    with pytest.raises(TooLittleMemory, match=r"openSMILE needs 501 MiB .* the limit is 500 MiB: raise it"):
        require_address_space(501 * MIB, "openSMILE")


def test_a_message_that_quotes_a_whole_file_is_cut_in_its_middle() -> None:
    text = str(NotThisFormat(f"file.npz: no stream {'x' * 90_000}: extract the features again"))
    assert len(text) < 5_000 and text.startswith("file.npz: no stream") and text.endswith("extract the features again")
    assert str(NotThisFormat("short")) == "short"
