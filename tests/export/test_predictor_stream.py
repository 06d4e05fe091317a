"""Predicting utterance by utterance with the bundle of a causal model, from Python and from the command line."""

import io
import json
import re
import shutil
import subprocess
import sys

import numpy as np
import onnx
import pytest

from export import program
from export.bundle import bundle
from export.bundle.select import choose
from export.predictor import BadBundle, BadInput, Predictor, to_csv
from export.program import predict_lines
from replicate.corpus.synthetic import generate
from replicate.files import sha256
from tests.export.dialogues import random_dialogue, write_csv
from tests.export.without_torch import WITHOUT_TORCH

STREAM = "model.stream.onnx"


@pytest.fixture
def copied(causal_bundle, tmp_path):
    shutil.copytree(causal_bundle.folder, tmp_path / "copied")
    return tmp_path / "copied"


@pytest.fixture(scope="module")
def causal(causal_bundle):
    return Predictor(causal_bundle.folder)


@pytest.fixture
def stdin(monkeypatch):
    """Set the content of stdin."""
    return lambda text: monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))


def interleaved(*dialogues):
    """CSV lines of interleaved dialogues of one length, below a header."""
    lines = ["dialogue,speaker," + ",".join(f"f{i}" for i in range(12))]
    for i in range(len(dialogues[0].features)):
        for d in dialogues:
            lines.append(",".join([d.id, d.speakers[i], *map(repr, map(float, d.features[i]))]))
    return [line + "\n" for line in lines]


def as_objects(lines):
    for line in lines[1:]:
        dialogue, speaker, *features = line.strip().split(",")
        yield json.dumps({"dialogue": dialogue, "speaker": speaker, "features": list(map(float, features))}) + "\n"


def test_the_card_describes_the_state_of_a_stream(causal_bundle, smoke_bundle):
    card = (causal_bundle.folder / "README.md").read_text()
    size = onnx.load(causal_bundle.folder / STREAM).graph.input[2].type.tensor_type.shape.dim[0].dim_value
    for words in ("last 64 utterances", f"has {size} numbers", "predict.py --stream", "those before it"):
        assert words in card
    other = (smoke_bundle.folder / "README.md").read_text()
    assert "Streaming" not in other and "including later utterances" in other


def test_a_stream_predicts_what_the_whole_dialogue_gives(causal):
    dialogue, stream = random_dialogue(80), causal.stream("d")
    whole = causal.predict([dialogue])[0]
    for i, (features, speaker) in enumerate(zip(dialogue.features, dialogue.speakers, strict=True)):
        found = stream.feed(features, speaker)
        assert np.allclose(found.probabilities[0], whole.probabilities[i], atol=1e-5)
        assert (found.id, found.first, found.emotions) == ("d", i + 1, [whole.emotions[i]])
    assert stream.count == 80


@pytest.mark.parametrize(
    ("features", "speaker", "message"),
    [
        (np.zeros(13), "M", "dialogue d has 13 features, but this model takes 12"),
        (np.zeros((1, 12)), "M", "has no utterance"),
        (np.full(12, np.nan), "M", "utterance 3: feature 1 is not a finite number"),
        (np.full(12, 1e300), "M", "utterance 3: feature 1 is not a finite number"),
        (np.zeros(12), "X", "utterance 3: speaker 'X' is not one of M, F"),
        (np.full(12, 1e30, "f4"), "M", r"as large as 1e\+30"),
    ],
)
def test_invalid_input_is_named_and_leaves_the_stream_unchanged(causal, features, speaker, message):
    dialogue = random_dialogue(3)
    undisturbed, stream = causal.stream("d"), causal.stream("d")
    for i in range(2):
        undisturbed.feed(dialogue.features[i], dialogue.speakers[i])
        stream.feed(dialogue.features[i], dialogue.speakers[i])
    with pytest.raises(BadInput, match=message):
        stream.feed(features, speaker)
    both = [each.feed(dialogue.features[2], dialogue.speakers[2]) for each in (undisturbed, stream)]
    assert (both[0].probabilities == both[1].probabilities).all() and both[1].first == 3


def test_only_a_causal_bundle_has_a_stream(replicate, smoke_bundle, stdin):
    with pytest.raises(BadBundle, match=r"contains no model\.stream\.onnx.*--arm COGMEN-A-causal"):
        Predictor(smoke_bundle.folder).stream()
    stdin("")
    done = replicate("predict", smoke_bundle.folder, "--stream")
    assert done.status == 1 and "error (bad bundle)" in done.stderr and "export a causal arm" in done.stderr


def test_a_changed_streaming_model_is_refused(copied):
    listed = json.loads((copied / "checksums.json").read_text())
    unlisted = {name: digest for name, digest in listed.items() if name != STREAM}
    (copied / "checksums.json").write_text(json.dumps(unlisted))
    with pytest.raises(BadBundle, match=f"does not list {STREAM}"):
        Predictor(copied)
    model = onnx.load(copied / STREAM)
    about = {entry.key: entry.value for entry in model.metadata_props}
    onnx.helper.set_model_props(model, about | {"state": "7"})
    onnx.save(model, copied / STREAM)
    (copied / "checksums.json").write_text(json.dumps(listed))
    with pytest.raises(BadBundle, match=f"{STREAM} changed"):
        Predictor(copied)
    whole = (copied / "model.onnx").read_bytes()
    for content, message in (
        ((copied / STREAM).read_bytes(), "the size of its state differs"),
        (whole, "lack memory"),
    ):
        (copied / STREAM).write_bytes(content)
        (copied / "checksums.json").write_text(json.dumps(listed | {STREAM: sha256(copied / STREAM)}))
        with pytest.raises(BadBundle, match=message):
            Predictor(copied).stream()


def test_interleaved_dialogues_have_separate_states_in_csv_and_json(causal, prediction_schema):
    given = [random_dialogue(9, i, name) for i, name in enumerate("abc")]
    expected = {(p.id, i): p.probabilities[i] for p in causal.predict(given) for i in range(9)}
    lines = interleaved(*given)
    for read in (lines, list(as_objects(lines))):
        found = [json.loads(answer) for answer in predict_lines(causal, read, as_json=True)]
        assert [(one["dialogue"], one["utterance"]) for one in found] == [(d, i) for i in range(1, 10) for d in "abc"]
        for one in found:
            message = [one["probabilities"][label] for label in causal.labels]
            assert np.allclose(message, expected[one["dialogue"], one["utterance"] - 1], atol=2e-6)
            prediction_schema.validate(one)


def test_the_least_recently_used_dialogue_is_dropped(causal, monkeypatch):
    monkeypatch.setattr(program, "MAX_STREAMS", 2)
    lines = interleaved(*(random_dialogue(1, 0, name) for name in ("a", "b", "a", "c", "a", "b")))
    found = [json.loads(answer) for answer in predict_lines(causal, lines, as_json=True)]
    assert [(one["dialogue"], one["utterance"]) for one in found] == [
        *(("a", 1), ("b", 1), ("a", 2), ("c", 1), ("a", 3), ("b", 1)),
    ]


def test_a_stream_prints_the_same_as_a_file(replicate, causal_bundle, causal, tmp_path, stdin):
    given = random_dialogue(5, 1, "first")
    write_csv(tmp_path / "x.csv", [given])
    stdin("\ufeff" + (tmp_path / "x.csv").read_text())
    done = replicate("predict", causal_bundle.folder, "--stream", "--csv")
    assert done.status == 0 and done.stderr.count("\n") == 1  # random features are unlike those of the training
    assert done.stderr.startswith("note: dialogue first is unlike what COGMEN-Mask-causal was trained on")
    rows, expected = (
        [line.split(",") for line in text.splitlines()]
        for text in (done.stdout, to_csv(causal.predict([given])[0].utterances()))
    )
    assert [row[:6] for row in rows] == [row[:6] for row in expected]
    assert np.allclose(*(np.array(x[1:])[:, 6:].astype(float) for x in (rows, expected)), atol=2e-6)
    stdin("")
    assert replicate("predict", causal_bundle.folder, "--stream") == (0, "", "")


OBJECT = '{"dialogue": "d", "speaker": "M", "features": [' + ", ".join(["0.5"] * 12) + "]}\n"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("nonsense\n", "line 3 is not of the form"),
        ("[1, 2]\n", "line 3 is not of the form"),
        (OBJECT.replace('"speaker"', '"who"'), "not of the form.*'speaker'"),
        (OBJECT.replace('"d"', "7"), "not of the form.*must be strings"),
        (OBJECT.replace("[0.5", '["0.5"'), "a feature is not a number"),
        (OBJECT.replace("[0.5", "[true"), "a feature is not a number"),
        (OBJECT.replace("[0.5", "[1" + "0" * 400), "not of the form"),
        (OBJECT.replace("[0.5", "[NaN"), "line 3: dialogue d, utterance 2: feature 1 is not a finite number"),
        (OBJECT.replace("[0.5, ", "["), "line 3: dialogue d has 11 features"),
        (OBJECT.replace('"M"', '"Z"'), "line 3: dialogue d, utterance 2: speaker 'Z'"),
    ],
)
def test_the_first_wrong_line_ends_the_stream_after_the_output_of_those_before(
    replicate, causal_bundle, stdin, line, message
):
    stdin(OBJECT + "\n" + line + OBJECT)
    done = replicate("predict", causal_bundle.folder, "--stream", "--json")
    assert done.status == 1 and "error (bad input)" in done.stderr and len(done.stdout.splitlines()) == 1
    assert done.stderr.count("\n") == 1 and re.search(rf"^error \(bad input\): stdin, .*{message}", done.stderr)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("speaker,dialogue,f1\n", "stdin, line 1: the header"),
        ("dialogue,speaker,f1\na,M\n", "stdin, line 2: 2 cells, but the header has 3"),
        ("dialogue,speaker,f1\na,M,x\n", "stdin, line 2: .*'x'"),
        ("dialogue,speaker,f1\na,M,1\n", "stdin, line 2: dialogue a has 1 features, but"),
    ],
)
def test_invalid_csv_is_named(causal, text, message):
    with pytest.raises(BadInput, match=message):
        list(predict_lines(causal, io.StringIO(text), as_json=False))


def test_bytes_that_are_not_utf_8_are_named(causal):
    with pytest.raises(BadInput, match="cannot read stdin"):
        list(predict_lines(causal, io.TextIOWrapper(io.BytesIO(b"dialogue,speaker,f1\n\xff"), "utf-8"), as_json=False))


def test_streams_and_files_exclude_each_other(replicate, causal_bundle):
    for arguments in (["x.csv", "--stream"], ["--stream", "--int8"], []):
        assert replicate("predict", causal_bundle.folder, *arguments).status == 2


@pytest.mark.parametrize("script", [False, True], ids=["replicate", "predict.py"])
def test_each_line_is_predicted_before_the_next_arrives_and_without_torch(causal_bundle, script):
    folder = str(causal_bundle.folder)
    if script:
        code = WITHOUT_TORCH.replace("BLOCKED", '{"replicate", "export", "scipy", "click"}') + (
            "import runpy; sys.argv = ['predict.py', '--stream', '--json']\n"
            f"runpy.run_path({folder + '/predict.py'!r}, run_name='__main__')"
        )
    else:
        code = WITHOUT_TORCH.replace("BLOCKED", "set()") + (
            f"from replicate.cli import main; main(['predict', {folder!r}, '--stream', '--json'])"
        )
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe, text=True, bufsize=1) as process:
        assert process.stdin and process.stdout
        for number in range(1, 4):
            process.stdin.write(OBJECT)
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["utterance"] == number
        process.stdin.close()
        assert process.wait() == 0


def test_an_earlier_bundle_with_a_stream_is_replaced(causal_results, copied):
    choice = choose(causal_results, "COGMEN-A")
    bundle.write(choice, generate("synthetic-tiny"), copied)
    assert not (copied / STREAM).exists() and bundle.open_run(copied)
