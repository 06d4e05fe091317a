"""``replicate demo``: recordings, every output, the page, and what it cannot use."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from export.demo import runtime
from export.demo.runtime import Runtime
from tests.export import tiny_bundle
from tests.export.demo import wave_bundle
from tests.export.demo.signals import bursts
from tests.hostile import FILE, NAME, problems
from tests.recordings import write_wav


@pytest.fixture
def bundle(tmp_path):
    return wave_bundle.write(tmp_path / "bundle")


@pytest.fixture
def call(tmp_path):
    return write_wav(tmp_path / "call.wav", bursts((1, 2), (3, 4), total=5))


def test_without_a_recording_it_names_what_can_be_done(replicate):
    done = replicate("demo")
    assert done.status == 0 and {"replicate demo FILE.wav", "--page", "replicate listen"} <= {
        word for word in ("replicate demo FILE.wav", "--page", "replicate listen") if word in done.stdout
    }


def test_a_table_for_each_recording_and_its_limits(replicate, bundle, call, tmp_path):
    (tmp_path / "other").mkdir()
    other = write_wav(tmp_path / "other" / "call.wav", bursts((1, 2), total=3, seed=1))
    done = replicate("demo", call, other, "--bundle", bundle)
    assert done.status == 0 and done.stdout.count("00:00:0") == 6 and "call 2" in done.stdout
    assert "Trained on corpus" in done.stderr and done.stderr.count("\n") == 2
    assert f"Next: replicate predict {bundle} --audio {call}" in done.stderr


def test_csv_and_json_are_those_of_listen(replicate, bundle, call):
    rows = replicate("demo", call, "--bundle", bundle, "--csv").stdout
    assert rows == replicate("listen", bundle, "--source", call, "--fast", "--csv").stdout
    found = json.loads(replicate("demo", call, "--bundle", bundle, "--json").stdout)
    assert [row["label"] for row in csv.DictReader(rows.splitlines())] == [one["label"] for one in found]


def test_hostile_names(replicate, tmp_path):
    folder = wave_bundle.write(
        tmp_path / "hostile", labels=[NAME, f"{NAME} 2"], speakers=[NAME], corpus={"name": NAME, "hash": "ab"}
    )
    path = write_wav(tmp_path / f"{FILE[:60]}.wav", bursts((1, 2), total=3))
    done = replicate("demo", path, "--bundle", folder)
    assert problems(done.stdout, "terminal") == problems(done.stderr, "terminal") == []
    assert problems(replicate("demo", path, "--bundle", folder, "--csv").stdout, "csv") == []


def test_a_recording_unlike_the_training_is_named(replicate, bundle, tmp_path):
    like = write_wav(tmp_path / "like.wav", bursts((1, 2), total=3))
    unlike = write_wav(tmp_path / "unlike.wav", 0.05 * bursts((1, 2), total=3))
    far = {"centre": [0.8, 0.8], "scale": [0.2, 0.2], "residual": [1, 1], "axes": [], "limits": {"1": [3, 2]}}
    folder = wave_bundle.write(tmp_path / "far", range=far)
    note = "note: dialogue unlike is unlike what arm was trained on"
    assert note in replicate("demo", unlike, "--bundle", folder).stderr
    assert replicate("listen", folder, "--source", unlike, "--fast").stderr.count(note) == 1
    for command in (["demo", like, "--bundle", folder], ["demo", unlike, "--bundle", bundle]):
        assert "unlike what" not in replicate(*command).stderr


def test_the_bundle_of_the_package_answers_and_states_its_score(replicate, call):
    done = replicate("demo", call)
    assert done.status == 0 and "Trained on acted speech (ravdess-conversations), weighted F1 0." in done.stderr
    assert done.stdout.count("00:00:0") == 4


def test_silence_is_a_line(replicate, bundle, tmp_path):
    silent = write_wav(tmp_path / "s.wav", np.zeros(16_000))
    done = replicate("demo", silent, "--bundle", bundle)
    assert done.status == 0 and done.stdout == "" and "s.wav: no speech was found" in done.stderr
    assert "Next:" not in done.stderr
    speech = write_wav(tmp_path / "call.wav", bursts((1, 2), total=3))
    assert f"--audio {speech}" in replicate("demo", silent, speech, "--bundle", bundle).stderr


def test_doubts_on_a_recording_are_notes(replicate, bundle, tmp_path):
    signal = bursts((1, 2), total=3)
    low = write_wav(tmp_path / "low.wav", signal[::2], rate=8_000)
    inverted = write_wav(tmp_path / "inverted.wav", np.column_stack([signal, -0.9 * signal]))
    same = write_wav(tmp_path / "same.wav", np.column_stack([signal, signal]))
    done = replicate("demo", low, inverted, same, "--bundle", bundle)
    assert done.stderr.count("below 16 kHz") == done.stderr.count("cancel each other") == 1
    assert "low.wav was recorded below 16 kHz" in done.stderr
    assert "the channels of " + str(inverted) + " cancel each other" in done.stderr


def test_the_page(replicate, bundle, tmp_path, monkeypatch):
    monkeypatch.setattr(runtime, "runtime", lambda given: Runtime(b"a", b"b", b"c"))
    done = replicate("demo", "--page", tmp_path / "site", "--bundle", bundle)
    assert done.status == 0 and done.stdout.strip() == str(tmp_path / "site" / "index.html")
    assert (tmp_path / "site" / "app.js").is_file()


def one_line(done) -> str:
    assert done.status == 1 and done.stderr.count("\n") == 1
    return done.stderr


def test_what_it_cannot_use_is_named_in_a_line(replicate, bundle, call, tmp_path, monkeypatch):
    monkeypatch.setattr(runtime, "runtime", lambda given: pytest.fail("fetched for nothing"))
    other = tiny_bundle.write(tmp_path / "other")
    assert "takes openSMILE" in one_line(replicate("demo", call, "--bundle", other))
    assert "takes openSMILE" in one_line(replicate("demo", "--page", tmp_path / "site", "--bundle", other))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "x").write_text("")
    assert "is not an earlier page" in one_line(replicate("demo", "--page", tmp_path / "mine", "--bundle", bundle))
    assert "no recording" in one_line(replicate("demo", tmp_path / "none.wav", "--bundle", bundle))


def test_wrong_usage(replicate, call, tmp_path):
    for arguments in (["--page", tmp_path, call], ["--onnxruntime-web", tmp_path], [call, "--csv", "--json"]):
        assert replicate("demo", *arguments).status == 2
