from __future__ import annotations

from export.audio.formats.tiers import distinct, single_line, tiers
from export.audio.timeline import Segment, Timeline


def test_names_that_become_equal_get_numbers() -> None:
    names = ["a\nb", "a b", "a b_2", "\x01", " ", "a b"]
    assert list(distinct(names, single_line).values()) == ["a b", "a b_2", "a b_2_2", "\ufffd", "_"]


def test_further_tiers_are_called_unlike_any_speaker() -> None:
    at = [("A", 0.0, 2.0), ("A_2", 0.0, 1.0), ("A", 1.0, 3.0), ("A", 1.5, 3.0), ("A", 2.0, 2.0001)]
    made = Timeline(("x",), tuple(Segment("a", 1, who, start, end, (1.0,)) for who, start, end in at))
    assert [(tier.name, tier.speaker, [span[:2] for span in tier.spans]) for tier in tiers(made)] == [
        ("A", "A", [(0, 2000), (2000, 2001)]),
        ("A_3", "A", [(1000, 3000)]),
        ("A_4", "A", [(1500, 3000)]),
        ("A_2", "A_2", [(0, 1000)]),
    ]
