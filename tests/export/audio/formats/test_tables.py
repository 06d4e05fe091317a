from __future__ import annotations

import csv
import io

import pandas
from hypothesis import given

from export.audio.formats.tables import to_csv, to_json, to_tsv
from export.audio.timeline import Timeline
from replicate.features import recording
from replicate.features.segments import whisperx
from tests.export.audio.formats.test_textgrid import TWO
from tests.export.audio.timelines import read_back, timelines


@given(timelines())
def test_tsv_has_the_cells_of_csv(timeline: Timeline) -> None:
    made = to_tsv(timeline)
    rows = list(csv.reader(io.StringIO(made), delimiter="\t"))
    assert rows == list(csv.reader(io.StringIO(to_csv(timeline)))) and len(rows) == len(timeline.segments) + 1
    columns = ["dialogue", "speaker"]
    ours = [[row[rows[0].index(name)] for name in columns] for row in rows[1:]]
    table = pandas.read_csv(io.StringIO(made), sep="\t", dtype=str, keep_default_na=False)
    assert table[columns].to_numpy().tolist() == ours


def test_csv_and_json_are_lists_of_segments_too() -> None:
    timeline = Timeline(TWO.labels, TWO.segments[::2])
    csv_list = read_back(to_csv(timeline), "csv", lambda path: recording.read(path.with_name("a.wav"), path))
    assert [(one.start, one.stop, one.speaker) for one in csv_list.utterances] == [(0, 1.5, 'F "Z" é漢'), (3, 4, "M")]
    json_list = read_back(to_json(timeline), "json", whisperx.read)
    assert [one[:3] for one in json_list.segments] == [(0, 1.5, 'F "Z" é漢'), (3, 4, "M")]
