"""``replicate listen``: a recording in place of the microphone, every output, and what it cannot use."""

from __future__ import annotations

import csv
import json
import sys

import numpy as np
import pytest

from tests.export import tiny_bundle
from tests.export.demo import wave_bundle
from tests.export.demo.signals import bursts
from tests.hostile import NAME, problems
from tests.recordings import write_wav


@pytest.fixture
def bundle(tmp_path):
    return wave_bundle.write(tmp_path / "bundle")


@pytest.fixture
def call(tmp_path):
    return write_wav(tmp_path / "=call.wav", bursts((1, 2), (3, 4), total=5))


def test_a_line_for_each_utterance(replicate, bundle, call):
    done = replicate("listen", bundle, "--source", call, "--fast")
    assert (done.status, done.stderr) == (0, "")
    lines = [line.split() for line in done.stdout.splitlines()]
    assert len(lines) == 2 and lines[0][0].startswith("00:00:00.9") and lines[0][2] == "M"
    assert all(line[3] in tiny_bundle.LABELS and 0.5 <= float(line[4]) <= 1 for line in lines)


def test_csv_and_json_hold_the_same(replicate, bundle, call):
    options = ("listen", bundle, "--source", call, "--fast", "--speaker", "Zoë")
    rows = list(csv.DictReader(replicate(*options, "--csv").stdout.splitlines()))
    objects = [json.loads(line) for line in replicate(*options, "--json").stdout.splitlines()]
    assert [row["utterance"] for row in rows] == ["1", "2"] and {row["dialogue"] for row in rows} == {"'=call"}
    for row, one in zip(rows, objects, strict=True):
        assert row["label"] == one["label"] and row["speaker"] == one["speaker"] == "Zoë"
        assert all(float(row[label]) == value for label, value in one["probabilities"].items())


def test_names_of_a_bundle_control_nothing(replicate, tmp_path, call):
    folder = wave_bundle.write(tmp_path / "hostile", labels=[NAME, f"{NAME} 2"], speakers=[f"{NAME} 3"])
    assert problems(replicate("listen", folder, "--source", call, "--fast").stdout, "terminal") == []
    assert problems(replicate("listen", folder, "--source", call, "--fast", "--csv").stdout, "csv") == []


def test_wrong_usage(replicate, bundle, call):
    assert "--fast needs --source" in replicate("listen", bundle, "--fast").stderr
    assert "exclude each other" in replicate("listen", bundle, "--source", call, "--csv", "--json").stderr
    assert "the model knows M, Zoë" in replicate("listen", bundle, "--source", call, "--speaker", "X").stderr


def one_line(done) -> str:
    assert done.status == 1 and done.stderr.count("\n") == 1
    return done.stderr


def test_what_it_cannot_use_is_named_in_a_line(replicate, tmp_path, bundle, call, monkeypatch):
    other = tiny_bundle.write(tmp_path / "other")
    assert "takes openSMILE" in one_line(replicate("listen", other, "--source", call))
    assert "is not a bundle" in one_line(replicate("listen", tmp_path / "none", "--source", call))
    assert "no recording" in one_line(replicate("listen", bundle, "--source", tmp_path / "none.wav"))
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    assert "missing extra" in one_line(replicate("listen", bundle))


def test_a_recording_without_speech_is_a_line(replicate, tmp_path, bundle):
    silent = write_wav(tmp_path / "silent.wav", np.zeros(16_000))
    for options in ([], ["--csv"], ["--json"]):
        done = replicate("listen", bundle, "--source", silent, "--fast", *options)
        assert (done.status, done.stdout) == (0, "") and done.stderr == f"note: {silent}: no speech was found\n"


def test_doubts_on_a_recording_are_those_of_demo(replicate, tmp_path, bundle):
    path = write_wav(tmp_path / "low.wav", bursts((1, 2), total=3)[::2], rate=8_000)
    assert "low.wav was recorded below 16 kHz" in replicate("listen", bundle, "--source", path, "--fast").stderr


def test_ctrl_c_ends_the_microphone_cleanly(replicate, bundle, monkeypatch):
    from export.demo import sources

    def microphone():
        yield bursts((0.5, 1), total=3)[:, None]
        raise KeyboardInterrupt

    monkeypatch.setattr(sources, "microphone", microphone)
    done = replicate("listen", bundle)
    assert (done.status, done.stderr) == (0, "") and len(done.stdout.splitlines()) == 1
