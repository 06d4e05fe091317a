"""The checks of streaming files."""

import json

from export.bundle import bundle
from export.bundle.select import choose
from export.onnx import save
from export.validate.streaming import run_stream_checks

STREAM = "model.stream.onnx"


def test_a_causal_bundle_contains_a_checked_streaming_model(causal_bundle):
    assert (causal_bundle.folder / STREAM).is_file()
    assert STREAM in json.loads((causal_bundle.folder / "checksums.json").read_text())
    found = {check.name: check for check in causal_bundle.checks}
    assert all(check.passed for check in causal_bundle.checks)
    assert "24 cases" in found["stream against whole dialogues"].found
    again = {check.name for check in bundle.check(causal_bundle.folder, None)}
    assert {name for name in found if name.startswith("stream")} <= again and len(again) > 8


def test_the_streaming_model_of_another_run_is_named(causal_bundle, causal_results, tmp_path):
    other = choose(causal_results, "COGMEN-A-causal").run
    save.write_stream(other, ("M", "F"), tmp_path / STREAM)
    run = bundle.open_run(causal_bundle.folder)
    found = {r.name: r for r in run_stream_checks(tmp_path / STREAM, causal_bundle.folder / "model.onnx", run, None)}
    assert found["stream: metadata"].passed is False and "run" in found["stream: metadata"].found
    wrong = found["stream against whole dialogues"]
    assert wrong.passed is False and "length 1, speakers drawn" in wrong.found and found["stream: onnx checker"].passed
