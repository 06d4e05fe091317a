"""The block that compares Table 2 with that of other seeds."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs import other_seeds
from docs.entries import Measurement

HEADER = "table,first,second,difference,ci95_low,ci95_high\n"
FIRST = HEADER + "table2,Mask/A,Plain/A,0.1,0.05,0.15\ntable2,Mask/AV,Plain/AV,0.1,0.05,0.15\ntable1,a,b,0,0,0\n"
OTHER = HEADER + "table2,Mask/A,Plain/A,0.15,0.1,0.2\ntable2,Mask/AV,Plain/AV,0.1501,0.1,0.2\n"


SCORES = "table,row,context,seed,fold,metric,value\n" + "".join(
    f"table2,{row},{context},{seed},,weighted_f1,{value}\n"
    for row, context, values in (
        ("Mask", "A", (0.5, 0.7)),
        ("Plain", "A", (0.5, 0.5)),
        ("Mask", "AV", (0.6, 0.6)),
        ("Plain", "AV", (0.5, 0.5)),
    )
    for seed, value in enumerate(values)
)


def test_a_difference_is_inside_up_to_the_end_of_the_interval(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Two seeds whose differences deviate by 0.1 √2: their mean is predicted within t(0.975, 1) · 0.1 √2.
    for folder, content in (("x/paper", FIRST), ("other-seeds/x/paper", OTHER)):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "comparisons.csv").write_text(content, encoding="utf-8")
    (tmp_path / "x/paper/scores.csv").write_text(SCORES, encoding="utf-8")
    listed = [
        Measurement("x/paper", "x", ("table2",)),
        Measurement("other-seeds/x/paper", "x", ("table2",), out="other-seeds"),
    ]
    monkeypatch.setattr(other_seeds, "RESULTS", tmp_path)
    monkeypatch.setattr(other_seeds, "measurements", lambda: listed)
    assert other_seeds.table().splitlines()[2:] == [
        "| x | Mask/A | Plain/A | +0.100 [+0.050, +0.150] | +0.150 | yes | ± 1.797 | yes |",
        "| x | Mask/AV | Plain/AV | +0.100 [+0.050, +0.150] | +0.150 | no | ± 0.001 | no |",
        "",
        "1 of 2 lie inside the interval, 1 inside that for seeds alone.",
    ]
