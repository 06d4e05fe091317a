"""Voice activity: on bursts of noise, whatever the pieces, and the same in Python as in the page's JavaScript."""

from __future__ import annotations

import json
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from export.demo import activity
from export.demo.activity import LONGEST, RATE, Activity, Utterance
from replicate.features import audio

from .signals import bursts

PAGE = Path(activity.__file__).with_name("page")
NODE = shutil.which("node")


def found(signal: NDArray[np.float32], piece: int = 4000) -> list[Utterance]:
    """The utterances of a signal that arrives in pieces."""
    detector = Activity()
    ended = [one for at in range(0, len(signal), piece) for one in detector.push(signal[at : at + piece])]
    return ended + detector.finish()


def spans(signal: NDArray[np.float32], piece: int = 4000) -> list[tuple[float, float]]:
    return [(one.start / RATE, (one.start + len(one.samples)) / RATE) for one in found(signal, piece)]


def test_bursts_are_utterances_with_a_tenth_of_a_second_around_them():
    (first, second) = spans(bursts((1, 2), (3, 4.5), total=6))
    assert first == pytest.approx((0.9, 2.1), abs=0.05) and second == pytest.approx((2.9, 4.6), abs=0.05)


def test_a_short_pause_is_part_of_an_utterance_and_a_long_one_ends_it():
    assert len(found(bursts((1, 2), (2.3, 3), total=5))) == 1
    assert len(found(bursts((1, 2), (2.7, 3.4), total=5))) == 2


def test_what_is_short_or_steady_is_no_utterance():
    assert found(bursts((1, 1.1), total=3)) == []
    for level in (1e-4, 1e-2, 0.2):
        assert found(bursts(total=20, noise=level)) == []
    assert found(np.zeros(RATE, np.float32)) == []
    assert found(np.zeros(10, np.float32)) == []


def test_an_utterance_is_the_signal_itself_and_ends_after_15_seconds():
    signal = bursts((1, 40), total=42)
    cut = found(signal)
    assert [len(one.samples) / activity.FRAME for one in cut[:2]] == [LONGEST, LONGEST]
    for before, after in pairwise(cut):
        assert before.start + len(before.samples) == after.start
    for one in cut:
        np.testing.assert_array_equal(one.samples, signal[one.start : one.start + len(one.samples)])


def test_a_detector_holds_no_more_than_the_longest_utterance():
    detector, most = Activity(), 0
    for _ in range(60):
        detector.push(bursts((0, 0.9), total=1))
        most = max(most, len(detector._held))
    assert most < (LONGEST + 100) * activity.FRAME


@given(st.integers(0, 99), st.integers(1, 9000))
@settings(max_examples=20, deadline=None)
def test_pieces_of_any_length_give_the_same(seed, piece):
    signal = bursts((0.2, 1), (1.7, 2.4), total=3, noise=3e-3, seed=seed)
    one, other = found(signal, piece), found(signal)
    assert [(each.start, len(each.samples)) for each in one] == [(each.start, len(each.samples)) for each in other]


def in_javascript(path: Path, piece: int) -> list[list[int]]:
    """Start and number of samples of the utterances that the page finds in a file of float32 samples."""
    program = f"""
        require({json.dumps(str(PAGE / "activity.js"))});
        const bytes = require("fs").readFileSync({json.dumps(str(path))});
        const signal = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
        const detector = new demo.activity.Activity(), found = [], piece = {piece};
        for (let at = 0; at < signal.length; at += piece) found.push(...detector.push(signal.slice(at, at + piece)));
        found.push(...detector.finish());
        console.log(JSON.stringify(found.map(one => [one.start, one.samples.length])));
    """
    return json.loads(subprocess.run([NODE, "-e", program], capture_output=True, check=True, timeout=60).stdout)


@pytest.mark.skipif(NODE is None, reason="node is not installed")
@pytest.mark.parametrize("piece", [128, 4000])
def test_javascript_finds_the_same(tmp_path, piece):
    signal = np.concatenate(
        [
            bursts((0.1, 1.3), (2.2, 2.4), (3, 20), total=22, noise=2e-3),
            bursts((1, 2), (2.4, 3), (4, 4.4), total=6, noise=2e-2, seed=1),
            np.zeros(RATE, np.float32),
            bursts((0.5, 1.5), total=2, noise=0, seed=2),
        ]
    )
    signal.tofile(tmp_path / "signal")
    expected = [[one.start, len(one.samples)] for one in found(signal)]
    assert len(expected) == 5 and in_javascript(tmp_path / "signal", piece) == expected


@pytest.mark.skipif(NODE is None, reason="node is not installed")
def test_conversations_are_found_as_they_are_annotated(shared_data, tmp_path):
    missed = spoken = false = 0
    for name, list_ in (("dev00", "debug.development"), ("dev01", "debug.development"), ("sample", "sample")):
        signal = audio.load(shared_data / f"conversations/{name}.wav")
        truth, mine = (np.zeros(len(signal), bool) for _ in range(2))
        for line in (shared_data / f"conversations/{list_}.rttm").read_text().splitlines():
            _, recording, _, start, length, *_ = line.split()
            if recording == name:
                truth[round(float(start) * RATE) : round((float(start) + float(length)) * RATE)] = True
        utterances = found(signal)
        for one in utterances:
            mine[one.start : one.start + len(one.samples)] = True
        missed, spoken, false = missed + (truth & ~mine).sum(), spoken + truth.sum(), false + (mine & ~truth).sum()
        signal.tofile(tmp_path / "signal")
        assert in_javascript(tmp_path / "signal", 800) == [[one.start, len(one.samples)] for one in utterances]
    assert missed < 0.1 * spoken and false < 0.25 * spoken
