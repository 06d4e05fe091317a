from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from praatio import textgrid as praatio

from export.audio.formats.textgrid import to_textgrid
from export.audio.timeline import Recording, Segment, Timeline
from replicate.features.segments import textgrid
from tests.export.audio.timelines import expected, read_back, timelines

TWO = Timeline(
    ("calm", '"very" excited'),
    (
        Segment("a", 1, 'F "Z" é漢', 0.0, 1.5, (0.75, 0.25)),
        Segment("a", 2, "M", 1.25, 3.0625, (0.125, 0.875)),
        Segment("a", 3, "M", 3.0, 4.0, (0.5, 0.5)),
    ),
    recordings={"a": Recording("a.wav", 5.25)},
)
TIERS = [('F "Z" é漢', 2), ("M", 3), ("M_2", 3)]


@given(timelines())
def test_a_timeline_is_read_back(timeline: Timeline) -> None:
    found = read_back(to_textgrid(timeline), "TextGrid", textgrid.read)
    assert sorted(one[:3] for one in found.segments) == expected(timeline) and found.notes == ()


def test_praatio_reads_the_same(tmp_path: Path) -> None:
    path = tmp_path / "a.TextGrid"
    path.write_text(to_textgrid(TWO), encoding="utf-8")
    grid = praatio.openTextgrid(str(path), includeEmptyIntervals=True, reportingMode="error")
    assert (grid.minTimestamp, grid.maxTimestamp) == (0, 5.25)
    assert [(tier.name, len(tier.entries)) for tier in grid.tiers] == TIERS
    assert [tuple(entry) for entry in grid.tiers[1].entries] == [
        (0, 1.25, ""),
        (1.25, 3.062, '"very" excited 0.88'),
        (3.062, 5.25, ""),
    ]


@pytest.mark.parametrize("seconds", [None, 3.0, 4.0])
def test_the_grid_ends_with_its_last_segment_where_the_recording_is_not_longer(seconds: float | None) -> None:
    recordings = {} if seconds is None else {"a": Recording("a.wav", seconds)}
    text = to_textgrid(Timeline(TWO.labels, TWO.segments, recordings=recordings))
    assert "\nxmax = 4 \n" in text


SCRIPT = """
Read from file: "grid.TextGrid"
tiers = Get number of tiers
end = Get end time
writeInfoLine: tiers, " ", end
for tier to tiers
    name$ = Get tier name: tier
    count = Get number of intervals: tier
    appendInfoLine: count, " ", name$
endfor
Save as short text file: "short.TextGrid"
"""


@pytest.mark.skipif(shutil.which("praat") is None, reason="praat is not installed (apt-get install praat)")
def test_praat_opens_it_and_what_praat_writes_is_read(tmp_path: Path) -> None:
    (tmp_path / "grid.TextGrid").write_text(to_textgrid(TWO), encoding="utf-8")
    (tmp_path / "script.praat").write_text(SCRIPT, encoding="utf-8")
    command = ["praat", "--no-pref-files", "--utf8", "--run", "script.praat"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode().splitlines() == ["3 5.25", *(f"{count} {name}" for name, count in TIERS)]
    found = textgrid.read(tmp_path / "short.TextGrid")
    assert [one[:3] for one in found.segments] == [
        (0, 1.5, 'F "Z" é漢'),
        (1.25, 3.062, "M"),
        (3, 4, "M_2"),
    ]
