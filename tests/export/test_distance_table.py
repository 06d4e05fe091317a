"""Every distance from the training is in a table without hostile text, and the farthest one on a line."""

import csv
import io

import numpy as np
import pytest

from export.audio.files import write
from export.audio.timeline import Segment, Timeline
from export.distance import TrainingRange
from export.distance_table import COLUMNS, status, to_csv
from tests.export.test_distance import ABOUT, BY_HAND
from tests.hostile import TEXT, problems

MEASURED = TrainingRange(BY_HAND, [TEXT, "pitch"])
NEAR, NEARER, FAR = (MEASURED.distance(np.array([[0.0, 10 + y]] * 4)) for y in (2, 1, 40))


def test_the_table_has_a_row_for_each_dialogue_and_no_hostile_text(tmp_path):
    timeline = Timeline(("x",), (Segment(TEXT, 1, "s", 0, 1, (1.0,)),), distances={TEXT: NEAR, "b": FAR})
    assert tmp_path / "distance.csv" in write(timeline, tmp_path)
    text = (tmp_path / "distance.csv").read_text(encoding="utf-8")
    assert text == to_csv(timeline.distances) and problems(text, "csv") == []
    first, second = csv.DictReader(io.StringIO(text))
    assert tuple(first) == COLUMNS and first["dialogue"].startswith("'=HYPERLINK") and first["far"] == "no"
    assert second | {"farthest": ""} == {
        **{"dialogue": "b", "utterances": "4", "features": "2", "beyond": "1"},
        **{"deviations": f"{8 / np.sqrt(2):.6f}", "limit": "1.000000", "far": "yes", "farthest": ""},
    }
    assert second["farthest"].startswith("pitch; =HYPERLINK")


def test_a_timeline_of_unknown_distances_has_no_table(tmp_path):
    write(Timeline(("x",), (Segment("a", 1, "s", 0, 1, (1.0,)),)), tmp_path)
    assert not (tmp_path / "distance.csv").exists()


@pytest.mark.parametrize(
    ("found", "line"),
    [
        ([("a", NEAR)], "distance from the training: 0 of 2 features"),
        (
            [("b", NEARER), ("a", NEAR), ("c", None)],
            "distance from the training, dialogue a as the farthest of 2: 0 of",
        ),
        ([("a", NEAR), ("far", FAR)], None),
        ([("a", None)], None),
    ],
)
def test_the_line_is_of_the_farthest_dialogue_unless_a_warning_names_it(found, line):
    text = status(found, ABOUT)
    assert (text is None) == (line is None)
    if line:
        assert text.startswith(line)
        assert text.endswith(" beyond 4 deviations, root mean square 0.71 (limit 1.00)")
