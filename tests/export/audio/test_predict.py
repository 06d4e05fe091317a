"""From recordings to a timeline, by bundles that were trained on recordings."""

from __future__ import annotations

import csv
import io
import json
import shutil
from dataclasses import astuple, replace
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from export.audio.predict import _columns, predict_audio
from export.demo.shipped import BUNDLE
from export.normalise import BY
from export.predictor import Predictor
from replicate import errors
from replicate.corpus import archive, load
from replicate.features.read import read
from tests.recordings import save_hubert, tone, write_wav

WHO = ("--speaker", "SPEAKER_00=agent", "--speaker", "SPEAKER_01=customer")


@pytest.mark.parametrize("arm", ["COGMEN-A", "HuBERT-A"])
def test_recordings_give_what_the_features_of_the_training_give(recordings, arm, replicate):
    bundle = recordings.root / arm
    status, from_recordings, stderr = replicate("predict", bundle, "--audio", recordings.root / "recordings", "--csv")
    assert status == 0 and "note:" not in stderr
    _, from_features, _ = replicate("predict", bundle, recordings.root / "both.npz", "--csv")
    ours, theirs = (list(csv.DictReader(io.StringIO(text))) for text in (from_recordings, from_features))
    assert [row["dialogue"] for row in ours] == [row["dialogue"] for row in theirs] and len(ours) == 20
    for mine, other in zip(ours, theirs, strict=True):
        assert mine["speaker"] == other["speaker"]
        assert float(mine["calm"]) == pytest.approx(float(other["calm"]), abs=1e-4)
    table = list(csv.DictReader((recordings.root / "recordings" / "table.csv").open()))
    assert [float(row["start"]) for row in ours] == [float(row["start"]) for row in table]
    assert all(float(row["end"]) > float(row["start"]) for row in ours)


def test_a_call_becomes_a_table_and_files(recordings, replicate, prediction_schema, tmp_path):
    status, stdout, stderr = replicate(
        "predict", recordings.root / "COGMEN-A", *recordings.call, *WHO, "--out", tmp_path / "out"
    )
    assert status == 0 and "00:00:00.000" in stdout and "SPEAKER_01" in stdout
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert written == {"timeline.csv", "timeline.json", "CALL.vtt", "CALL.png", "CALL.svg"}
    assert "CALL.vtt" in stderr
    content = json.loads((tmp_path / "out" / "timeline.json").read_text())
    prediction_schema.validate(content)
    assert [one["utterance"] for one in content] == list(range(1, 9)) and content[0]["end"] > content[0]["start"]
    for option, name in (("--csv", "timeline.csv"), ("--json", "timeline.json"), ("--vtt", "CALL.vtt")):
        assert (
            replicate("predict", recordings.root / "COGMEN-A", *recordings.call, *WHO, option).stdout
            == (tmp_path / "out" / name).read_text()
        )


@pytest.mark.parametrize("name", ["CALL.TextGrid", "CALL.eaf", "CALL.json", "timeline.csv"])
def test_a_timeline_is_a_list_of_segments_again(name, recordings, replicate, tmp_path):
    chosen = [word for each in ("textgrid", "eaf", "whisperx", "rttm") for word in ("--format", each)]
    command = ("predict", recordings.root / "COGMEN-A", "--audio", recordings.root / "CALL.wav", *WHO)
    segments = ("--segments", recordings.root / "CALL.rttm")
    status, _, stderr = replicate(*command, *segments, *chosen, "--out", tmp_path)
    assert status == 0 and "note: RTTM has no field for an emotion" in stderr
    status, again, _ = replicate(*command, "--segments", tmp_path / name, "--format", "tsv")
    rows = list(csv.DictReader(io.StringIO(again), delimiter="\t"))
    first = list(csv.DictReader((tmp_path / "timeline.csv").open()))
    assert [(row["start"], row["end"], row["speaker"]) for row in rows] == [
        (row["start"], row["end"], row["speaker"]) for row in first
    ]
    assert status == 0 and [row["label"] for row in rows] == [row["label"] for row in first]
    grid = (tmp_path / "CALL.TextGrid").read_text()
    assert f"\nxmax = {soundfile.info(recordings.root / 'CALL.wav').duration!r} \n" in grid
    assert 'MEDIA_URL="CALL.wav"' in (tmp_path / "CALL.eaf").read_text()


def test_one_format_is_printed(recordings, replicate):
    command = ("predict", recordings.root / "COGMEN-A", *recordings.call, *WHO)
    assert replicate(*command, "--format", "srt").stdout.startswith("1\n00:00:00,000 --> ")
    done = replicate(*command, "--format", "srt", "--csv")
    assert done.status == 2 and "only one format can be printed: use --out DIR for several" in done.stderr


def test_speakers_that_the_model_does_not_know_are_assigned(recordings, replicate):
    bundle = recordings.root / "COGMEN-A"
    status, assigned, stderr = replicate("predict", bundle, *recordings.call, "--csv")
    assert status == 0
    assert "order of appearance (SPEAKER_00=agent, SPEAKER_01=customer); assign them otherwise with --speaker" in stderr
    status, given, stderr = replicate("predict", bundle, *recordings.call, "--csv", *WHO)
    assert given == assigned and "order of appearance" not in stderr
    status, _, stderr = replicate("predict", bundle, *recordings.call, *WHO, "--speaker", "Anna=agent")
    assert (
        status == 1
        and "error (bad input)" in stderr
        and "--speaker 'Anna': CALL has no such speaker, only SPEAKER_00, SPEAKER_01" in stderr
    )
    status, _, stderr = replicate("predict", bundle, *recordings.call, "--speaker", "SPEAKER_00=boss")
    assert (
        status == 1
        and "error (bad input)" in stderr
        and "--speaker ...='boss': the model only knows the speakers agent, customer" in stderr
    )
    assert replicate("predict", bundle, *recordings.call, "--speaker", "=agent").status == 2
    assert replicate("predict", bundle, *recordings.call, *WHO, "--speaker", "SPEAKER_00=customer").status == 2


def test_predictions_depend_on_the_assigned_speakers(recordings):
    predictor = Predictor(recordings.root / "COGMEN-A")
    source = read(recordings.root / "CALL.wav", segments=recordings.root / "CALL.rttm")
    one = predict_audio(predictor, source, {"SPEAKER_00": "agent", "SPEAKER_01": "customer"})
    other = predict_audio(predictor, source, {"SPEAKER_00": "customer", "SPEAKER_01": "agent"})
    alone = predict_audio(predictor, source, {"SPEAKER_00": "agent", "SPEAKER_01": "agent"})
    assert [segment.speaker for segment in one.segments[:2]] == ["SPEAKER_00", "SPEAKER_01"]
    probabilities = [np.array([segment.probabilities for segment in found.segments]) for found in (one, other, alone)]
    assert all(np.allclose(p.sum(1), 1, atol=1e-5) for p in probabilities)
    assert np.abs(probabilities[0] - probabilities[1]).max() > 1e-6
    assert np.abs(probabilities[0] - probabilities[2]).max() > 1e-6


def test_a_bundle_for_other_features_is_named(recordings, smoke_bundle, replicate, tmp_path):
    status, _, stderr = replicate("predict", smoke_bundle.folder, *recordings.call)
    assert status == 1 and "error (incompatible features)" in stderr and "came with the corpus synthetic-tiny" in stderr
    corpus = load(str(recordings.root / "mine.npz"))
    other = replace(corpus, recipes={"audio": corpus.recipes["audio"] | {"set": "IS09"}})
    archive.write(other, tmp_path / "other.npz")
    status, _, stderr = replicate("predict", recordings.root / "COGMEN-A", tmp_path / "other.npz")
    assert status == 1 and "error (incompatible features)" in stderr
    assert "trained on openSMILE eGeMAPSv02 (88 columns)" in stderr and "contains openSMILE IS09" in stderr
    status, _, stderr = replicate("predict", recordings.root / "HuBERT-A", recordings.root / "mine.npz")
    assert status == 1 and "error (bad input)" in stderr and "no stream 'hubert', only audio" in stderr


def test_a_hubert_model_may_be_moved_but_not_replaced(recordings, replicate, tmp_path):
    shutil.copytree(recordings.root / "HuBERT-A", tmp_path / "bundle")
    (recordings.root / "hubert").rename(tmp_path / "moved")
    try:
        arguments = ("predict", tmp_path / "bundle", *recordings.call, *WHO, "--csv")
        status, _, stderr = replicate(*arguments)
        assert status == 1 and "error (bad model)" in stderr and f"no folder {recordings.root / 'hubert'}" in stderr
        assert "give its folder with --model" in stderr
        assert replicate(*arguments, "--model", tmp_path / "moved").status == 0
        save_hubert(tmp_path / "strange", "group")
        status, _, stderr = replicate(*arguments, "--model", tmp_path / "strange")
        assert status == 1 and "error (bad model)" in stderr and "is not the model" in stderr
    finally:
        (tmp_path / "moved").rename(recordings.root / "hubert")


def test_an_utterance_without_features_is_named_and_the_other_features_are_kept(recordings, replicate, tmp_path):
    write_wav(tmp_path / "calls" / "good.wav", tone(0.4))
    write_wav(tmp_path / "calls" / "silent.wav", 0 * tone(0.4))
    (tmp_path / "calls" / "list.csv").write_text("dialogue,utterance,speaker\nd,silent,agent\nd,good,customer\n")
    arguments = (
        "predict",
        recordings.root / "COGMEN-A",
        "--audio",
        tmp_path / "calls",
        "--out",
        tmp_path / "out",
        "--csv",
    )
    status, _, stderr = replicate(*arguments)
    assert status == 1 and "error (bad audio)" in stderr and "silent.wav is silent" in stderr and "--drop" in stderr
    assert (tmp_path / "out" / "timeline.vectors").is_file()
    status, stdout, stderr = replicate(*arguments, "--drop")
    assert status == 0 and "left out: utterance silent" in stderr and "without pauses" in stderr
    assert [line.split(",")[1:5] for line in stdout.splitlines()[1:]] == [["1", "customer", "0.000", "0.400"]]
    assert not (tmp_path / "out" / "timeline.vectors").exists()
    (tmp_path / "calls" / "list.csv").write_text("dialogue,utterance,speaker\nd,silent,agent\n")
    (tmp_path / "calls" / "good.wav").unlink()
    status, _, stderr = replicate(*arguments, "--drop")
    assert status == 1 and "error (empty dialogue)" in stderr
    assert "calls has no utterance to predict" in stderr and "silent.wav is silent" in stderr


def test_features_are_kept_until_the_timeline_is_written(recordings, replicate, tmp_path):
    (tmp_path / "out" / "CALL.png").mkdir(parents=True)
    arguments = ("predict", recordings.root / "COGMEN-A", *recordings.call, *WHO, "--out", tmp_path / "out")
    assert "error (cannot write)" in replicate(*arguments).stderr
    assert (tmp_path / "out" / "timeline.vectors").is_file()
    (tmp_path / "out" / "CALL.png").rmdir()
    assert replicate(*arguments).status == 0
    assert not (tmp_path / "out" / "timeline.vectors").exists()


def test_doubts_about_the_recordings_are_noted(recordings, replicate, tmp_path):
    samples, rate = soundfile.read(recordings.root / "CALL.wav", dtype="float32")
    write_wav(tmp_path / "CALL-phone.wav", samples[::3], rate // 3)
    phone = ("--audio", tmp_path / "CALL-phone.wav", "--segments", recordings.root / "CALL.rttm")
    status, _, stderr = replicate("predict", recordings.root / "COGMEN-A", *phone, *WHO, "--csv")
    assert status == 0 and "note: 8 utterances were recorded below 16 kHz" in stderr
    assert "CALL.rttm is for a recording called CALL, not CALL-phone" in stderr


def test_opensmile_needs_no_model(recordings, replicate):
    status, _, stderr = replicate("predict", recordings.root / "COGMEN-A", *recordings.call, *WHO, "--model", "x/y")
    assert (
        status == 1
        and "error (bad input)" in stderr
        and "input is openSMILE eGeMAPSv02 (88 columns), not of a speech encoder" in stderr
    )


USAGE = [
    (("--vtt", "x.csv"), "--vtt needs --audio SOURCE"),
    (("x.csv", "--format", "srt"), "--format needs --audio SOURCE"),
    (("x.csv", "--speaker", "a=b"), "--speaker needs --audio SOURCE"),
    (("x.csv", "--channels", "a,b"), "--channels needs --audio SOURCE"),
    (("x.csv", "--segments", "vad"), "--segments needs --audio SOURCE"),
    (("--audio", "y.wav", "--channels", "a,,b"), "a name for each channel"),
    (("x.csv", "--out", "o"), "--out needs --audio SOURCE"),
    (("x.csv", "--audio", "y.wav"), "one of FILE"),
    (("--stream", "--audio", "y.wav"), "one of FILE"),
    (("--audio", "y.wav", "--json", "--vtt"), "exclude each other"),
    ((), "one of FILE"),
]


@pytest.mark.parametrize(("arguments", "words"), USAGE)
def test_options_that_exclude_each_other(arguments, words, recordings, replicate):
    status, _, stderr = replicate("predict", recordings.root / "COGMEN-A", *arguments)
    assert status == 2 and words in stderr


def test_webvtt_needs_a_single_dialogue(recordings, replicate):
    arguments = ("predict", recordings.root / "COGMEN-A", "--audio", recordings.root / "recordings", "--vtt")
    status, _, stderr = replicate(*arguments)
    assert status == 2 and "has 5: use --out DIR" in stderr and "extracting" not in stderr


def test_selected_columns_are_found_by_name():
    made = SimpleNamespace(recipe={"columns": ["a", "b", "c"]})
    assert _columns({"columns": ["c", "a"]}, made) == [2, 0]
    assert _columns({}, made) == slice(None)
    with pytest.raises(errors.BadModel, match="no column d"):
        _columns({"columns": ["a", "d"]}, made)


def test_a_bundle_describes_its_features(recordings):
    for arm, width, words in (("COGMEN-A", 88, "openSMILE eGeMAPSv02 (88 columns)"), ("HuBERT-A", 16, "layer last")):
        predictor = Predictor(recordings.root / arm)
        assert predictor.width == width
        assert words in (recordings.root / arm / "README.md").read_text()
        record = json.loads(next((recordings.root / arm / "run").glob("*/run.json")).read_text())
        assert predictor.metadata["recipe"] == record["corpus"]["recipes"][predictor.audio_stream]


def test_a_dialogue_that_is_too_long_is_predicted_in_pieces(recordings, monkeypatch):
    source = read(recordings.root / "CALL.wav", segments=recordings.root / "CALL.rttm")
    who = {"SPEAKER_00": "agent", "SPEAKER_01": "customer"}
    whole = predict_audio(Predictor(recordings.root / "COGMEN-A"), source, who)
    for module in ("export.predictor", "export.audio.predict"):
        monkeypatch.setattr(f"{module}.MAX_UTTERANCES", 3)
    pieces = predict_audio(Predictor(recordings.root / "COGMEN-A"), source, who)
    assert [one[:5] for one in map(astuple, pieces.segments)] == [one[:5] for one in map(astuple, whole.segments)]
    assert "CALL has 8 utterances and is predicted in pieces of 3" in pieces.notes[-1]
    alone = replace(source, utterances=source.utterances[3:6])
    middle = predict_audio(Predictor(recordings.root / "COGMEN-A"), alone, who)
    for one, other in zip(pieces.segments[3:6], middle.segments, strict=True):
        np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-5)


def test_the_distance_of_every_recording_from_the_training_is_kept(recordings, replicate, tmp_path, monkeypatch):
    source = read(recordings.root / "recordings")
    predictor = Predictor(BUNDLE)
    found = predict_audio(predictor, source)
    assert list(found.distances) == list(found.dialogues) and len(found.distances) == 5
    assert [one.utterances for one in found.distances.values()] == [4] * 5
    single = replace(source, utterances=source.utterances[:1])
    assert "--normalise recording changes nothing" in " ".join(predict_audio(predictor, single, normalise=BY[0]).notes)
    monkeypatch.setattr("export.audio.predict.MAX_UTTERANCES", 3)  # in pieces, a dialogue is measured as a whole
    assert predict_audio(predictor, source).distances == found.distances
    done = replicate("predict", BUNDLE, "--audio", recordings.root / "recordings", "--out", tmp_path, "--csv")
    assert done.status == 0 and "note: 5 of 5 dialogues (" in done.stderr and "distance.csv" in done.stderr
    rows = list(csv.DictReader((tmp_path / "distance.csv").open()))
    assert [(row["dialogue"], row["far"]) for row in rows] == [(name, "yes") for name in found.distances]
    assert [float(row["deviations"]) for row in rows] == [
        pytest.approx(one.deviations, abs=1e-6) for one in found.distances.values()
    ]
