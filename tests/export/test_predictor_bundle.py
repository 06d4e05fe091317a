"""The predictor refuses a bundle that is incomplete, changed, or of another version."""

import json
import shutil

import numpy as np
import onnx
import pytest

from export.predictor import BadBundle, Predictor
from replicate.files import sha256


@pytest.fixture
def copied(smoke_bundle, tmp_path):
    shutil.copytree(smoke_bundle.folder, tmp_path / "copied")
    return tmp_path / "copied"


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
    for content, message in ((model.SerializeToString(), "not exported by"), (b"no protobuf", "is no model of")):
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


def test_a_read_only_bundle_can_be_used(copied):
    for path in [*copied.rglob("*"), copied]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        assert Predictor(copied)(np.zeros((2, 12), "f4"), ["M", "F"]).emotions
    finally:
        for path in [copied, *copied.rglob("*")]:
            path.chmod(0o755 if path.is_dir() else 0o644)


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
