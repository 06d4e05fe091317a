"""`replicate predict` reads every format and names the file of a mistake."""

import json
import pickle
import subprocess
import sys
from dataclasses import replace

import numpy as np

from export.inputs import read
from export.predictor import DialogueFeatures, Predictor
from replicate.corpus import archive
from replicate.corpus.synthetic import generate
from tests.export.dialogues import random_dialogue, write_csv


def test_the_command_prints_tables_and_json_for_every_format(replicate, smoke_bundle, prediction_schema, tmp_path):
    corpus = generate("synthetic-tiny")
    archive.write(corpus, tmp_path / "corpus.npz")
    write_csv(tmp_path / "x.csv", [random_dialogue(3, 1, "first")])
    status, stdout, _ = replicate("predict", smoke_bundle.folder, tmp_path / "x.csv", tmp_path / "corpus.npz")
    assert status == 0 and "first" in stdout and corpus.dialogues[-1].id in stdout and "probability" in stdout
    status, stdout, _ = replicate("predict", smoke_bundle.folder, tmp_path / "x.csv", "--json", "--int8")
    content = json.loads(stdout)
    assert status == 0 and len(content) == 3 and content[0]["start"] is None
    prediction_schema.validate(content)


def test_labels_that_the_bundle_does_not_know_are_named_and_all_is_predicted(replicate, smoke_bundle, tmp_path):
    corpus = generate("synthetic-tiny")
    archive.write(replace(corpus, labels=("excited", "sad", "neutral", "afraid")), tmp_path / "other.npz")
    archive.write(replace(corpus, labels=("unlabelled", "sad", "neutral", "angry")), tmp_path / "none.npz")
    status, stdout, stderr = replicate("predict", smoke_bundle.folder, tmp_path / "other.npz", "--csv")
    assert status == 0
    note, distance = stderr.splitlines()
    assert note == (
        "note: other.npz has labels that the model does not know (afraid, excited): it predicts happy, sad, neutral, "
        "angry"
    )
    assert len(stdout.splitlines()) == 1 + sum(map(len, corpus.dialogues))
    assert distance.startswith("distance from the training, dialogue ") and " beyond 4 deviations, " in distance
    assert replicate("predict", smoke_bundle.folder, tmp_path / "none.npz", "--csv", "-q") == (0, stdout, "")
    assert replicate("predict", smoke_bundle.folder, tmp_path / "none.npz", "--csv") == (0, stdout, f"{distance}\n")


def test_the_command_names_invalid_input(replicate, smoke_bundle, tmp_path):
    write_csv(tmp_path / "x.csv", [DialogueFeatures("x", ["Z"], np.zeros((1, 12)))])
    (tmp_path / "x.txt").write_text("")
    for file, message in (("x.csv", "speaker 'Z'"), ("no.csv", "no file"), ("x.txt", "must be a .csv, .npz or .pkl")):
        status, stdout, stderr = replicate("predict", smoke_bundle.folder, tmp_path / file)
        assert status == 1 and "error (bad input)" in stderr and stdout == "" and message in stderr
    status, _, stderr = replicate("predict", tmp_path, tmp_path / "x.csv")
    assert status == 1 and "error (bad bundle)" in stderr and "not a bundle" in stderr
    assert replicate("predict", smoke_bundle.folder, tmp_path / "x.csv", "--json", "--csv").status == 2


def test_pickles_of_the_cogmen_release_are_loaded(replicate, smoke_bundle, tmp_path):
    ids = [f"t{i}" for i in range(11)] + ["e0"]
    per = [dict.fromkeys(ids, v) for v in (["1", "2"], ["M", "F"], [0, 3])]
    streams = [{id_: [np.ones(width, "f4")] * 2 for id_ in ids} for width in (100, 100, 512)]
    content = [*per, *streams, {id_: ["a", "b"] for id_ in ids}, ids[:-1], ids[-1:]]
    (tmp_path / "x.pkl").write_bytes(pickle.dumps(content, 2))
    found = read(tmp_path / "x.pkl", Predictor(smoke_bundle.folder))
    assert [d.id for d in found] == ids and all(d.features.shape == (2, 100) for d in found)
    assert found[0].speakers == ["M", "F"]
    status, _, stderr = replicate("predict", smoke_bundle.folder, tmp_path / "x.pkl")
    assert status == 1 and "error (bad input)" in stderr and "100 features, but this model takes 12" in stderr


def test_a_dialogue_name_in_two_files_is_refused_and_errors_name_the_file(replicate, smoke_bundle, tmp_path):
    one, two, bad = (tmp_path / name for name in ("one.csv", "two.csv", "bad.csv"))
    write_csv(one, [random_dialogue(3)])
    write_csv(two, [random_dialogue(2)])
    write_csv(bad, [replace(random_dialogue(2, id_="e"), speakers=["M", "X"])])
    status, stdout, stderr = replicate("predict", smoke_bundle.folder, one, two, "--csv")
    assert status == 1 and "error (bad input)" in stderr and stdout == "" and str(one) in stderr and str(two) in stderr
    status, _, stderr = replicate("predict", smoke_bundle.folder, one, bad)
    assert status == 1 and "error (bad input)" in stderr and str(bad) in stderr and "'X'" in stderr


def test_a_recording_unlike_the_training_is_a_note_and_can_be_normalised(replicate, smoke_bundle, tmp_path):
    strange = random_dialogue(20, 1, "strange")
    strange = replace(strange, features=20 + 3 * strange.features)
    write_csv(tmp_path / "x.csv", [strange])
    plain = replicate("predict", smoke_bundle.folder, tmp_path / "x.csv", "--json")
    assert plain.status == 0 and plain.stderr.count("\n") == 1
    assert plain.stderr.startswith("note: dialogue strange is unlike what ")
    for by in ("recording", "speaker"):
        done = replicate("predict", smoke_bundle.folder, tmp_path / "x.csv", "--json", "--normalise", by)
        assert (done.status, done.stderr) == (0, plain.stderr)
        (expected,) = Predictor(smoke_bundle.folder).predict([strange], by)
        found = [list(one["probabilities"].values()) for one in json.loads(done.stdout)]
        assert np.allclose(found, expected.probabilities, atol=1e-5) and done.stdout != plain.stdout
    assert "--stream and --normalise" in replicate("predict", tmp_path, "--stream", "--normalise", "speaker").stderr
    assert replicate("predict", tmp_path, tmp_path / "x.csv", "--normalise", "room").status == 2
    script = [sys.executable, str(smoke_bundle.folder / "predict.py"), str(tmp_path / "x.csv"), "--json"]
    ran = subprocess.run([*script, "--normalise", "speaker"], capture_output=True, text=True, cwd=tmp_path)
    assert (ran.stdout, ran.stderr) == (done.stdout, plain.stderr)
