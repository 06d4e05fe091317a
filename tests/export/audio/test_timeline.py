import csv
import io
import json
import re
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from matplotlib.colors import to_hex

from export.audio import files as timeline_files
from export.audio import plot as timeline_picture
from export.audio.formats.subtitles import to_vtt
from export.audio.lanes import lanes
from export.audio.timeline import Segment, Timeline
from export.predictor import to_csv, to_json
from replicate.plotting import style

TWO = Timeline(
    ("calm", "excited"),
    (
        Segment("a", 1, "F", 0.0, 1.5, (0.75, 0.25)),
        Segment("a", 2, "<M> & co", 1.25, 3661.0625, (0.125, 0.875)),
        Segment("b", 1, "F", 0.5, 0.5, (0.5, 0.5)),
    ),
)


def test_of_equal_probabilities_the_first_label_is_taken():
    assert [TWO.emotion(segment) for segment in TWO.segments] == ["calm", "excited", "calm"]


def test_json_and_csv_have_the_same_times_and_probabilities(prediction_schema):
    utterances = TWO.utterances()
    found = json.loads(to_json(utterances))
    prediction_schema.validate(found)
    assert [(one["dialogue"], one["utterance"]) for one in found] == [("a", 1), ("a", 2), ("b", 1)]
    assert found[1] == {
        "dialogue": "a",
        "utterance": 2,
        "speaker": "<M> & co",
        "start": 1.25,
        "end": 3661.062,
        "overlap": 0.0,
        "label": "excited",
        "probabilities": {"calm": 0.125, "excited": 0.875},
    }
    rows = list(csv.DictReader(io.StringIO(to_csv(utterances))))
    assert [(row["dialogue"], row["start"], row["end"], row["calm"]) for row in rows] == [
        ("a", "0.000", "1.500", "0.750000"),
        ("a", "1.250", "3661.062", "0.125000"),
        ("b", "0.500", "0.500", "0.500000"),
    ]


def test_webvtt_names_the_speaker_of_each_cue_and_escapes_markup():
    assert to_vtt(TWO.dialogues["a"]) == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:01.500\n<v F>calm 0.75\n\n"
        "00:00:01.250 --> 01:01:01.062\n<v &lt;M&gt; &amp; co>excited 0.88\n"
    )


NAMES = st.text(st.sampled_from("ab<&>-\n\r\u2028 "), min_size=1, max_size=6)
TURNS = st.lists(st.tuples(st.floats(0, 4e5), st.floats(0, 100), NAMES), min_size=1, max_size=5)
CLOCK = r"(\d{2,}):([0-5]\d):([0-5]\d)\.(\d{3})"


@given(TURNS, NAMES)
@example([(0.0015, 0.00099, "a\n\nb")], "x\n\n00:00.000 --> 00:09.000")
def test_every_cue_has_two_lines_and_a_time_that_ends_after_it_starts(segments, label):
    made = tuple(Segment("d", 1, name, start, start + length, (1.0,)) for start, length, name in segments)
    cues = to_vtt(Timeline((label,), made)).split("\n\n")
    assert cues[0] == "WEBVTT" and len(cues) == len(segments) + 1
    starts = []
    for cue in cues[1:]:
        time, words = cue.strip("\n").split("\n")
        found = re.fullmatch(f"{CLOCK} --> {CLOCK}", time)
        numbers = [int(number) for number in found.groups()]
        start, stop = (((h * 60 + m) * 60 + s) * 1000 + ms for h, m, s, ms in (numbers[:4], numbers[4:]))
        assert start < stop
        starts.append(start)
        assert words.isprintable() and words.startswith("<v ") and words.count("<") == words.count(">") == 1
    assert starts == sorted(starts)


def test_a_picture_has_a_row_per_speaker_and_a_bar_per_utterance_and_emotion():
    brief = replace(TWO, segments=(TWO.segments[0], replace(TWO.segments[1], end=5.25)))
    with style("a"):
        figure = timeline_picture.draw(brief)
    axes = figure.axes
    assert [axis.get_ylabel() for axis in axes] == ["F", "<M> & co"]
    bars = axes[1].patches
    assert [(bar.get_x(), bar.get_width(), bar.get_y(), bar.get_height()) for bar in bars] == [
        (1.25, 4.0, 0.0, 0.125),
        (1.25, 4.0, 0.125, 0.875),
    ]
    assert len({to_hex(bar.get_facecolor()) for bar in bars}) == 2
    assert [text.get_text() for text in axes[0].get_legend().get_texts()] == ["calm", "excited"]


def test_overlapping_segments_of_one_speaker_are_in_two_rows():
    at = [("F", 0, 5), ("F", 4, 6), ("F", 5, 7), ("M", 3, 9), ("F", 4, 6)]
    segments = tuple(Segment("a", 1, who, float(start), float(stop), (1.0,)) for who, start, stop in at)
    found = lanes(segments, 0.0, 10.0)
    assert [(who, [(segment.start, segment.end) for segment in own]) for who, own in found] == [
        ("F", [(0, 5), (5, 7)]),
        ("F", [(4, 6)]),
        ("F", [(4, 6)]),
        ("M", [(3, 9)]),
    ]
    assert [(who, len(own)) for who, own in lanes(segments, 6.0, 10.0)] == [("F", 1), ("M", 1)]


@pytest.mark.parametrize(
    ("seconds", "label", "strips"),
    [
        (100, "seconds", 1),
        (121, "minutes and seconds", 1),
        (905, "minutes and seconds", 3),
        (86_400, "minutes and seconds", 24),
    ],
)
def test_long_recordings_have_an_axis_in_minutes_and_several_strips(seconds, label, strips):
    only = Timeline(("x",), (Segment("a", 1, "F", 0.0, float(seconds), (1.0,)),))
    with style("a"):
        axes = timeline_picture.draw(only).axes
        assert axes[-1].xaxis.get_label_text() == label and len(axes) == strips
        ends = [axis.get_xlim() for axis in axes]
        for axis, (start, stop) in zip(axes, ends, strict=True):
            assert 2 < sum(start <= tick <= stop for tick in axis.get_xticks()) < 25
    assert ends[0][0] == 0 and ends[-1][1] >= seconds
    assert [stop for _, stop in ends[:-1]] == [start for start, _ in ends[1:]]


def test_every_dialogue_gets_its_files_whatever_it_is_called(tmp_path):
    names = ["timeline", "a/b", "a_b", ".hidden", "Timeline"]
    segments = tuple(replace(TWO.segments[0], dialogue=name) for name in names)
    progress = []
    paths = timeline_files.write(Timeline(TWO.labels, segments), tmp_path / "out", progress.append)
    assert len(progress) == 5 and {path.name for path in paths} == {path.name for path in (tmp_path / "out").iterdir()}
    stems = {path.stem for path in paths if path.suffix == ".vtt"}
    assert stems == {"timeline_2", "a_b", "a_b_2", "hidden", "Timeline_3"}
    for stem in stems:
        assert (tmp_path / "out" / f"{stem}.png").read_bytes()[:4] == b"\x89PNG"
        assert (tmp_path / "out" / f"{stem}.svg").read_text().startswith("<?xml")


@pytest.mark.slow
def test_the_same_timeline_gives_the_same_bytes():
    assert timeline_picture.picture(TWO.dialogues["a"]) == timeline_picture.picture(TWO.dialogues["a"])
