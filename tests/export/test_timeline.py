import csv
import io
import json
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_hex

from export import timeline as text
from export import timeline_files, timeline_picture
from export.timeline import Timeline, Turn
from replicate.report.figures.canvas import style

TWO = Timeline(
    ("calm", "excited"),
    (
        Turn("a", "a_1", "F", 0.0, 1.5, (0.75, 0.25)),
        Turn("a", "a_2", "<M> & co", 1.25, 3661.0625, (0.125, 0.875)),
        Turn("b", "b_1", "F", 0.5, 0.5, (0.5, 0.5)),
    ),
)


def test_the_most_probable_emotion_is_the_first_of_the_largest():
    assert [TWO.emotion(turn) for turn in TWO.turns] == ["calm", "excited", "calm"]


def test_json_and_csv_hold_the_same_times_and_probabilities():
    first, second = json.loads(text.as_json(TWO))
    assert (first["dialogue"], second["dialogue"]) == ("a", "b")
    assert first["utterances"][1] == {
        "utterance": "a_2",
        "speaker": "<M> & co",
        "start": 1.25,
        "end": 3661.062,
        "emotion": "excited",
        "probability": {"calm": 0.125, "excited": 0.875},
    }
    rows = list(csv.DictReader(io.StringIO(text.as_csv(TWO))))
    assert [(row["dialogue"], row["start"], row["end"], row["calm"]) for row in rows] == [
        ("a", "0.000", "1.500", "0.750000"),
        ("a", "1.250", "3661.062", "0.125000"),
        ("b", "0.500", "0.500", "0.500000"),
    ]


def test_webvtt_has_a_voice_per_cue_and_no_markup_from_names():
    assert text.as_vtt(TWO.dialogues["a"]) == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:01.500\n<v F>calm 0.75\n\n"
        "00:00:01.250 --> 01:01:01.062\n<v &lt;M&gt; &amp; co>excited 0.88\n"
    )


@given(st.lists(st.tuples(st.floats(0, 4e5), st.floats(0, 100), st.text(max_size=5)), min_size=1, max_size=5))
def test_every_cue_has_a_valid_time_that_ends_after_it_starts(turns):
    made = tuple(Turn("d", "u", name, start, start + length, (1.0,)) for start, length, name in turns)
    cues = text.as_vtt(Timeline(("x",), made)).split("\n\n")
    assert cues[0] == "WEBVTT" and len(cues) == len(turns) + 1
    starts = []
    for cue in cues[1:]:
        times = re.match(r"(\d{2,}):([0-5]\d):([0-5]\d)\.(\d{3}) --> (\d{2,}):([0-5]\d):([0-5]\d)\.(\d{3})\n", cue)
        assert times
        start, stop = (
            (int(a) * 3600 + int(b) * 60 + int(c)) * 1000 + int(d)
            for a, b, c, d in zip(*[iter(times.groups())] * 4, strict=True)
        )
        assert start < stop
        starts.append(start)
        assert cue.count("-->") == 1
    assert starts == sorted(starts)


def test_a_picture_has_a_row_per_speaker_and_a_bar_per_utterance_and_emotion():
    with style("a"):
        figure = timeline_picture.draw(TWO.dialogues["a"])
    axes = figure.axes
    assert [axis.get_ylabel() for axis in axes] == ["F", "<M> & co"]
    bars = axes[1].patches
    assert [(bar.get_x(), bar.get_width(), bar.get_y(), bar.get_height()) for bar in bars] == [
        (1.25, 3659.8125, 0.0, 0.125),
        (1.25, 3659.8125, 0.125, 0.875),
    ]
    assert len({to_hex(bar.get_facecolor()) for bar in bars}) == 2
    assert [text.get_text() for text in axes[0].get_legend().get_texts()] == ["calm", "excited"]


@pytest.mark.parametrize(
    ("seconds", "label"), [(100, "seconds"), (121, "minutes and seconds"), (20_000, "minutes and seconds")]
)
def test_long_recordings_are_told_in_minutes(seconds, label):
    only = Timeline(("x",), (Turn("a", "u", "F", 0.0, float(seconds), (1.0,)),))
    with style("a"):
        figure = timeline_picture.draw(only)
        axis = figure.axes[0].xaxis
        assert axis.get_label_text() == label and len(axis.get_majorticklocs()) < 40


def test_every_dialogue_gets_its_files_whatever_it_is_called(tmp_path):
    names = ["timeline", "a/b", "a_b", ".hidden", "Timeline"]
    turns = tuple(replace(TWO.turns[0], dialogue=name) for name in names)
    told = []
    paths = timeline_files.write(Timeline(TWO.labels, turns), tmp_path / "out", told.append)
    assert len(told) == 5 and {path.name for path in paths} == {path.name for path in (tmp_path / "out").iterdir()}
    stems = {path.stem for path in paths if path.suffix == ".vtt"}
    assert stems == {"timeline_2", "a_b", "a_b_2", "hidden", "Timeline_3"}
    for stem in stems:
        assert (tmp_path / "out" / f"{stem}.png").read_bytes()[:4] == b"\x89PNG"
        assert (tmp_path / "out" / f"{stem}.svg").read_text().startswith("<?xml")


def test_the_same_timeline_gives_the_same_bytes():
    assert timeline_picture.picture(TWO.dialogues["a"]) == timeline_picture.picture(TWO.dialogues["a"])
