import json
import pickle
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import onnx
import pytest

from export.inputs import read
from export.predictor import (
    MAX_UTTERANCES,
    BadBundle,
    BadInput,
    DialogueFeatures,
    Predictor,
    read_csv,
    to_csv,
    to_json,
)
from replicate.corpus import archive
from replicate.corpus.synthetic import generate
from replicate.files import sha256


@pytest.fixture(scope="module")
def predictor(smoke_bundle):
    return Predictor(smoke_bundle.folder)


@pytest.fixture
def copied(smoke_bundle, tmp_path):
    shutil.copytree(smoke_bundle.folder, tmp_path / "copied")
    return tmp_path / "copied"


def random_dialogue(n, seed=0, id_="d"):
    draws = np.random.default_rng(seed)
    return DialogueFeatures(id_, draws.choice(["M", "F"], n).tolist(), draws.standard_normal((n, 12), dtype="f4"))


def write_csv(path, dialogues):
    lines = ["dialogue,speaker," + ",".join(f"f{i}" for i in range(12))]
    for d in dialogues:
        for name, row in zip(d.speakers, d.features, strict=True):
            lines.append(",".join([d.id, name, *map(repr, map(float, row))]))
    path.write_text("\n".join(lines) + "\n")


def test_predictions_are_those_of_the_run(predictor, smoke_bundle):
    from export.bundle.bundle import open_run

    corpus = generate("synthetic-tiny")
    given = [DialogueFeatures(d.id, ["MF"[s] for s in d.speakers], d.features["audio"]) for d in corpus.split("test")]
    found = np.concatenate([p.probabilities for p in predictor.predict(given)])
    assert np.allclose(np.log(found), open_run(smoke_bundle.folder).log_prob("test", "A"), atol=1e-4)


def test_a_prediction_does_not_depend_on_the_other_dialogues_or_their_order(predictor):
    given = [random_dialogue(n, n, str(n)) for n in (7, 1, 30, 2, 400, 7, 90)]
    batch = predictor.predict(given)
    assert [p.id for p in batch] == [d.id for d in given]
    for dialogue, prediction in zip(given, batch, strict=True):
        alone = predictor(dialogue.features, dialogue.speakers)
        assert np.allclose(alone.probabilities, prediction.probabilities, atol=1e-5)
        assert prediction.emotions == [predictor.labels[i] for i in prediction.probabilities.argmax(1)]


@pytest.mark.parametrize(
    "dialogue, message",
    [
        (DialogueFeatures("x", [], np.zeros((0, 12), "f4")), "dialogue x has no utterance"),
        (DialogueFeatures("x", ["M"], np.zeros(12, "f4")), "has no utterance"),
        (
            DialogueFeatures("x", ["M"], np.zeros((1, 13), "f4")),
            "13 features, but this model takes 12.*synthetic-tiny",
        ),
        (DialogueFeatures("x", ["M"], np.zeros((2, 12), "f4")), "1 speakers for 2 utterances"),
        (DialogueFeatures("x", ["M", "X"], np.zeros((2, 12), "f4")), "utterance 2: speaker 'X' is not one of M, F"),
        (
            DialogueFeatures("x", ["M"] * 3, np.full((3, 12), np.nan, "f4")),
            "utterance 1: feature 1 is not a finite number",
        ),
        (DialogueFeatures("x", ["M"], np.full((1, 12), 1e300)), "utterance 1: feature 1 is not a finite number"),
        (
            DialogueFeatures("x", ["M"] * 10_000, np.zeros((10_000, 12), "f4")),
            f"10000 utterances, more than {MAX_UTTERANCES}",
        ),
    ],
)
def test_invalid_input_is_named(predictor, dialogue, message):
    with pytest.raises(BadInput, match=message):
        predictor.predict([random_dialogue(3), dialogue])


def test_ten_thousand_utterances_in_dialogues_of_ordinary_length(predictor):
    found = predictor.predict([random_dialogue(100, i, str(i)) for i in range(100)])
    assert sum(len(p.probabilities) for p in found) == 10_000
    assert all(np.allclose(p.probabilities.sum(1), 1, atol=1e-5) for p in found)


@pytest.mark.parametrize("name", ["model.onnx", "README.md", "predict.py"])
def test_a_changed_file_is_named(copied, name):
    with (copied / name).open("ab") as file:
        file.write(b"\n")
    with pytest.raises(BadBundle, match=name):
        Predictor(copied)


def test_a_missing_file_and_a_folder_that_is_not_a_bundle_are_named(copied, tmp_path):
    (copied / "README.md").unlink()
    with pytest.raises(BadBundle, match=r"README\.md"):
        Predictor(copied)
    for content in ("", "[]", '{"../outside": "x"}', "{}"):
        (copied / "checksums.json").write_text(content)
        with pytest.raises(BadBundle):
            Predictor(copied)
    with pytest.raises(BadBundle, match="not a bundle"):
        Predictor(tmp_path / "nothing")


def test_an_onnx_file_of_another_program_is_refused(copied):
    model = onnx.load(copied / "model.onnx")
    del model.metadata_props[:]
    for content, message in ((model.SerializeToString(), "not exported by"), (b"no protobuf", "cannot open")):
        (copied / "model.onnx").write_bytes(content)
        listed = json.loads((copied / "checksums.json").read_text())
        listed["model.onnx"] = sha256(copied / "model.onnx")
        (copied / "checksums.json").write_text(json.dumps(listed))
        with pytest.raises(BadBundle, match=message):
            Predictor(copied)


def test_a_missing_quantised_model_is_named(copied):
    listed = json.loads((copied / "checksums.json").read_text())
    del listed["model.int8.onnx"]
    (copied / "checksums.json").write_text(json.dumps(listed))
    (copied / "model.int8.onnx").unlink()
    with pytest.raises(BadBundle, match="int8"):
        Predictor(copied, int8=True)


def test_an_unavailable_provider_is_named(smoke_bundle):
    with pytest.raises(BadInput, match=r"no NoSuchProvider on this machine, only .*CPUExecutionProvider"):
        Predictor(smoke_bundle.folder, providers=["NoSuchProvider"])


def test_csv_input_and_output(predictor, tmp_path):
    given = [random_dialogue(3, 1, "first"), random_dialogue(5, 2, "second, of two")]
    given[1] = replace(given[1], id="second")
    write_csv(tmp_path / "x.csv", given)
    read = read_csv(tmp_path / "x.csv")
    assert [(d.id, list(d.speakers)) for d in read] == [(d.id, d.speakers) for d in given]
    found = predictor.predict(read)
    utterances = [utterance for prediction in found for utterance in prediction.utterances()]
    lines = to_csv(utterances).splitlines()
    assert lines[0] == "dialogue,utterance,speaker,start,end,label,happy,sad,neutral,angry" and len(lines) == 9
    content = json.loads(to_json(utterances))
    assert [(one["dialogue"], one["utterance"]) for one in content] == [
        *(("first", i) for i in (1, 2, 3)),
        *(("second", i) for i in (1, 2, 3, 4, 5)),
    ]
    last = lines[-1].split(",")
    assert last[:6] == ["second", "5", given[1].speakers[4], "", "", content[-1]["label"]]
    assert [float(value) for value in last[6:]] == list(content[-1]["probabilities"].values())


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "line 1: the header"),
        ("speaker,dialogue,f1\n", "line 1: the header"),
        ("dialogue,speaker,f1\n", "no utterance"),
        ("dialogue,speaker,f1\na,M\n", "line 2: 2 cells, but the header has 3"),
        ("dialogue,speaker,f1\na,M,1\n\na,F,x\n", "line 4: .*'x'"),
        ("dialogue,speaker,f1\na,M,\xff", "cannot read"),
    ],
)
def test_an_invalid_csv_is_named(tmp_path, text, message):
    (tmp_path / "x.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(BadInput, match=message):
        read_csv(tmp_path / "x.csv")


WITHOUT_TORCH = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"torch", "torch_geometric", "onnx"} | BLOCKED:
            raise ImportError(name)
sys.meta_path.insert(0, Refuse())
"""


def test_the_predictor_and_the_command_do_not_import_torch(smoke_bundle, tmp_path):
    corpus = generate("synthetic-tiny")
    archive.write(corpus, tmp_path / "corpus.npz")
    code = WITHOUT_TORCH.replace("BLOCKED", "set()") + (
        "from export import Predictor; from replicate.cli import main\n"
        f"assert Predictor({str(smoke_bundle.folder)!r}).labels\n"
        f"main(['predict', {str(smoke_bundle.folder)!r}, {str(tmp_path / 'corpus.npz')!r}, '--csv'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 1 + sum(map(len, corpus.dialogues))


def test_the_script_in_a_bundle_needs_numpy_and_onnxruntime_only(smoke_bundle, tmp_path):
    given = [random_dialogue(4, 1, "first")]
    write_csv(tmp_path / "x.csv", given)
    code = WITHOUT_TORCH.replace("BLOCKED", '{"replicate", "export", "scipy", "click"}') + (
        f"import runpy; sys.argv = ['predict.py', {str(tmp_path / 'x.csv')!r}]\n"
        f"runpy.run_path({str(smoke_bundle.folder / 'predict.py')!r}, run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    (expected,) = Predictor(smoke_bundle.folder).predict(given)
    assert done.stdout == to_csv(expected.utterances()), done.stderr
    (tmp_path / "x.csv").write_text("nonsense")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 1 and done.stderr.startswith("error: ") and done.stderr.count("\n") == 1


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


def test_the_command_names_invalid_input(replicate, smoke_bundle, tmp_path):
    write_csv(tmp_path / "x.csv", [DialogueFeatures("x", ["Z"], np.zeros((1, 12)))])
    (tmp_path / "x.txt").write_text("")
    for file, message in (("x.csv", "speaker 'Z'"), ("no.csv", "no file"), ("x.txt", "must be a .csv, .npz or .pkl")):
        status, stdout, stderr = replicate("predict", smoke_bundle.folder, tmp_path / file)
        assert status == 1 and "error (bad input)" in stderr and stdout == "" and message in stderr
    status, _, stderr = replicate("predict", tmp_path, tmp_path / "x.csv")
    assert status == 1 and "error (bad bundle)" in stderr and "not a bundle" in stderr
    assert replicate("predict", smoke_bundle.folder, tmp_path / "x.csv", "--json", "--csv").status == 2


def test_a_read_only_bundle_can_be_used(copied):
    for path in [*copied.rglob("*"), copied]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        assert Predictor(copied)(np.zeros((2, 12), "f4"), ["M", "F"]).emotions
    finally:
        for path in [copied, *copied.rglob("*")]:
            path.chmod(0o755 if path.is_dir() else 0o644)


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


def test_features_that_overflow_are_named(predictor):
    dialogue = random_dialogue(5)
    dialogue.features[2, 3] = 1e30
    with pytest.raises(BadInput, match=r"as large as 1e\+30"):
        predictor.predict([random_dialogue(3), replace(dialogue, id="big")])


def test_a_quantised_prediction_does_not_depend_on_the_other_dialogues(smoke_bundle):
    quantised = Predictor(smoke_bundle.folder, int8=True)
    loud = random_dialogue(9, 1, "loud")
    loud.features[0, 0] = 1e4
    alone, batch = quantised.predict([random_dialogue(7)])[0], quantised.predict([random_dialogue(7), loud])[0]
    assert (alone.probabilities == batch.probabilities).all()


def test_a_dialogue_name_in_two_files_is_refused_and_errors_name_the_file(replicate, smoke_bundle, tmp_path):
    one, two, bad = (tmp_path / name for name in ("one.csv", "two.csv", "bad.csv"))
    write_csv(one, [random_dialogue(3)])
    write_csv(two, [random_dialogue(2)])
    write_csv(bad, [replace(random_dialogue(2, id_="e"), speakers=["M", "X"])])
    status, stdout, stderr = replicate("predict", smoke_bundle.folder, one, two, "--csv")
    assert status == 1 and "error (bad input)" in stderr and stdout == "" and str(one) in stderr and str(two) in stderr
    status, _, stderr = replicate("predict", smoke_bundle.folder, one, bad)
    assert status == 1 and "error (bad input)" in stderr and str(bad) in stderr and "'X'" in stderr


@pytest.mark.parametrize(
    ("old", "new", "words"), [("f1,", "f0,", "twice"), ("\nd,M,", "\nd,M,1_", "1_")], ids=["a column twice", "1_0"]
)
def test_a_repeated_column_and_1_0_are_refused(tmp_path, old, new, words):
    write_csv(tmp_path / "x.csv", [replace(random_dialogue(3), speakers=["M"] * 3)])
    text = (tmp_path / "x.csv").read_text().replace("\nd,M,-", "\nd,M,")
    (tmp_path / "x.csv").write_text(text.replace(old, new, 1))
    with pytest.raises(BadInput, match=words):
        read_csv(tmp_path / "x.csv")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("labels", 5),
        ("labels", ["a"]),
        ("labels", ["a"] * 9),
        ("speakers", []),
        ("widths", {}),
        ("widths", {"audio": 3}),
    ],
)
def test_metadata_that_do_not_fit_the_model_are_refused(copied, key, value):
    model = onnx.load(copied / "model.onnx")
    about = {entry.key: entry.value for entry in model.metadata_props}
    onnx.helper.set_model_props(model, about | {key: json.dumps(value)})
    onnx.save(model, copied / "model.onnx")
    listed = json.loads((copied / "checksums.json").read_text())
    (copied / "checksums.json").write_text(json.dumps(listed | {"model.onnx": sha256(copied / "model.onnx")}))
    with pytest.raises(BadBundle, match="not exported by"):
        Predictor(copied)


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ("bridging-modalities 1", "exported by an older version of this package: export again"),
        ("bridging-modalities 99", "exported by a newer version of this package"),
        ("something else 1", "not exported by"),
        ("", "not exported by"),
    ],
)
def test_a_bundle_of_another_version_is_named(copied, found, message):
    model = onnx.load(copied / "model.onnx")
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    onnx.helper.set_model_props(model, metadata | {"format": found})
    onnx.save(model, copied / "model.onnx")
    listed = json.loads((copied / "checksums.json").read_text())
    (copied / "checksums.json").write_text(json.dumps(listed | {"model.onnx": sha256(copied / "model.onnx")}))
    with pytest.raises(BadBundle, match=message):
        Predictor(copied)


@pytest.mark.parametrize("listed", ["[" * 200_000, '{"model.onnx": null}', '{"/etc/passwd": null}'])
def test_invalid_checksums_are_refused(copied, listed):
    (copied / "checksums.json").write_text(listed)
    with pytest.raises(BadBundle):
        Predictor(copied)


def test_a_file_that_the_checksums_do_not_list_is_not_used(copied):
    listed = json.loads((copied / "checksums.json").read_text())
    del listed["model.int8.onnx"]
    (copied / "checksums.json").write_text(json.dumps(listed))
    with pytest.raises(BadBundle, match="does not list"):
        Predictor(copied, int8=True)
