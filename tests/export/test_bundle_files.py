"""Metadata and checksums that were changed on purpose, with valid checksums: each is refused with its cause."""

import json
import os

import numpy as np
import pytest

from export.metadata import FITTED
from export.predictor import BadBundle, Predictor
from tests.export import tiny_bundle
from tests.export.tiny_bundle import set_metadata

RANGE = tiny_bundle.metadata(stream=False)["range"]
METADATA = {
    "labels": [
        None,
        [],
        ["a", "a"],
        ["a", ""],
        ["a", 1],
        ["a", "\x1b[2J"],
        {"a": 1},
        "ab",
        ["a"] * 9,
        ["a", "b" * 2000],
    ],
    "speakers": [None, [], [1], ["M", "M"], "M"],
    "streams": [[], ["audio", "audio"], ["text"], 5],
    "audio_stream": ["text", ["audio"], None, 10**400],
    "absent_streams": [["audio"], ["text"], None],
    "widths": [{}, {"audio": 10**30}, {"audio": -1}, {"audio": 3.0}, {"audio": True}, [3], {"audio": "3"}],
    "standardisation": [
        None,
        {},
        {"audio": {"mean": [0.0], "deviation": [1.0]}},
        {"audio": {"mean": [0.0] * 2, "deviation": [0.0] * 2}},
        {"audio": {"mean": [1e400] * 2, "deviation": [1.0] * 2}},
        {"audio": {"mean": ["0"] * 2, "deviation": [1.0] * 2}},
        {"audio": {"mean": [10**400] * 2, "deviation": [1.0] * 2}},
    ],
    "recipe": [5, [], {"extractor": 5}, {"layer": []}, {"columns": "abc"}, {"versions": [1]}, {"x": [[[[[[1]]]]]]}],
    "window": [[5], [-1, 5], [5.0, 5], "55", [10**30, 1], None],
    "seed": ["24", None, 2.5, True, 10**50],
    "corpus": [{}, "corpus", {"name": 1, "hash": "x"}, {"name": "a\nb", "hash": "x"}],
    "run": [None, 5, "../../x\x00"],
    "arm": [None, [], "<\x07>"],
    "protocol": [None, 1],
    "versions": [None, [], {"torch": 2}, {"torch": {}}],
    "temperature": [0, -1.0, 1e9, "1", None, True, [1.0], 10**400],
    "range": [
        5,
        {},
        RANGE | {"more": 1},
        RANGE | {"centre": [0.0] * 3},
        RANGE | {"centre": [], "scale": [], "residual": []},
        RANGE | {"centre": [0.0, "0"]},
        RANGE | {"scale": [0.0, 1.0]},
        RANGE | {"residual": [1.0, -1.0]},
        RANGE | {"residual": [1.0, 10**400]},
        RANGE | {"axes": [[1000]]},
        RANGE | {"axes": [[1000, 0.5]]},
        RANGE | {"axes": [[1 << 30, 0]]},
        RANGE | {"axes": [[1, 1]] * 65},
        RANGE | {"axes": {"a": 1}},
        RANGE | {"limits": {}},
        RANGE | {"limits": {"0": [1.0, 1.0]}},
        RANGE | {"limits": {"one": [1.0, 1.0]}},
        RANGE | {"limits": {"1": [1.0]}},
        RANGE | {"limits": {"1": [0.0, 1.0]}},
        RANGE | {"limits": {"1": [1.0, -1.0]}},
        {key: [0.0] * 3 if key in ("centre", "scale", "residual") else value for key, value in RANGE.items()},
        {name: each * 2 if name in ("centre", "scale", "residual") else each for name, each in RANGE.items()},
    ],
    "memory": [0, -5, 1.5, "x"],
    "state": [0, 10**12, -1, 5, None, [4]],
}


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in METADATA.items() for value in values])
def test_metadata_of_another_type_or_range_are_refused(tmp_path, key, value):
    def change(model):
        found = {entry.key: entry.value for entry in model.metadata_props}
        set_metadata(model, found | {key: json.dumps(value)})

    folder = tiny_bundle.write(tmp_path / "b", *([change, change] if key not in ("memory", "state") else [id, change]))
    with pytest.raises(BadBundle, match="was not exported by") as error:
        Predictor(folder).stream()
    assert str(error.value).isprintable() and len(str(error.value)) < 600


@pytest.mark.parametrize("text", ["[" * 100_000, "1" * 100_000, "NaN", "{", "", '"\\ud800"', "9" * 5000 + "e9999"])
@pytest.mark.parametrize("key", ["labels", "recipe", "unknown"])
def test_metadata_that_are_no_sane_json_are_refused(tmp_path, key, text):
    def change(model):
        found = {entry.key: entry.value for entry in model.metadata_props}
        set_metadata(model, found | {key: text})

    folder = tiny_bundle.write(tmp_path / "b", change)
    if key == "unknown" and text in ('"\\ud800"', "9" * 5000 + "e9999"):  # not used
        assert Predictor(folder).labels == tiny_bundle.LABELS
        return
    with pytest.raises(BadBundle, match="was not exported by"):
        Predictor(folder)


def test_each_missing_entry_is_named(tmp_path):
    for number, missing in enumerate(set(tiny_bundle.metadata(stream=False)) - set(FITTED)):

        def change(model, missing=missing):
            found = {entry.key: entry.value for entry in model.metadata_props if entry.key != missing}
            set_metadata(model, found)

        with pytest.raises(BadBundle, match=f"lack {missing}"):
            Predictor(tiny_bundle.write(tmp_path / str(number), change))


def test_a_bundle_of_an_earlier_version_has_the_defaults(tmp_path):
    def change(model):
        set_metadata(model, {entry.key: entry.value for entry in model.metadata_props if entry.key not in FITTED})

    found = Predictor(tiny_bundle.write(tmp_path / "b", change, change))
    assert found.metadata["temperature"] == 1.0 and found.metadata["range"] is None
    assert found(np.zeros((1, 2), "f4"), ["M"]).distance is None and found.stream().count == 0


def test_a_stream_of_another_model_is_refused(tmp_path):
    def change(model):
        found = {entry.key: entry.value for entry in model.metadata_props}
        set_metadata(model, found | {"labels": json.dumps(tiny_bundle.LABELS[::-1])})

    with pytest.raises(BadBundle, match="labels differs"):
        Predictor(tiny_bundle.write(tmp_path / "b", stream=change)).stream()


SUM = "0" * 64
CHECKSUMS = {
    "a number": "5",
    "nested": '{"model.onnx": {"a": 1}}',
    "deep": '{"model.onnx": ' + "[" * 100_000,
    "a short hash": '{"model.onnx": "ab"}',
    "above": json.dumps({"../model.onnx": SUM}),
    "absolute": json.dumps({"/etc/passwd": SUM}),
    "windows": json.dumps({"C:\\x": SUM}),
    "escape": json.dumps({"a\x1b[31m": SUM}),
    "long": json.dumps({"a" * 5000: SUM}),
    "many": json.dumps({f"file{i}": SUM for i in range(30_000)}),
    "not UTF-8": b"\xff\xfe{",
    "half a character": '{"\\ud800": 1}',
}


@pytest.mark.parametrize("name", CHECKSUMS)
def test_checksums_of_another_form_are_refused(tmp_path, name):
    folder, content = tiny_bundle.write(tmp_path / "b"), CHECKSUMS[name]
    (folder / "checksums.json").write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(BadBundle) as error:
        Predictor(folder)
    assert str(error.value).isprintable() and len(str(error.value)) < 600


def test_a_listed_file_of_a_terabyte_is_not_read(tmp_path):
    folder = tiny_bundle.write(tmp_path / "b")
    listed = json.loads((folder / "checksums.json").read_text())
    with (folder / "large").open("wb") as file:
        file.truncate(1 << 40)
    (folder / "checksums.json").write_text(json.dumps(listed | {"large": SUM}))
    with pytest.raises(BadBundle, match="more than 512 MiB"):
        Predictor(folder)


def test_checksums_are_read_from_a_small_file_in_the_folder_alone(tmp_path):
    folder = tiny_bundle.write(tmp_path / "b")
    path = folder / "checksums.json"
    path.rename(tmp_path / "outside.json")
    path.symlink_to(tmp_path / "outside.json")
    with pytest.raises(BadBundle, match=r"checksums\.json is a link"):
        Predictor(folder)
    path.unlink()
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(BadBundle, match=r"checksums\.json has more than 1 MiB"):
        Predictor(folder)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(BadBundle, match=r"no file checksums\.json"):
        Predictor(folder)


def test_a_link_out_of_the_bundle_is_refused(tmp_path):
    folder = tiny_bundle.write(tmp_path / "b")
    (tmp_path / "outside.onnx").write_bytes((folder / "model.onnx").read_bytes())
    (folder / "model.onnx").unlink()
    (folder / "model.onnx").symlink_to(tmp_path / "outside.onnx")
    with pytest.raises(BadBundle, match=r"model\.onnx changed or missing"):
        Predictor(folder)
