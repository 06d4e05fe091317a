"""The page on export and serving runs as it is written, on runs of the smoke profile."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from .conftest import DOCS, blocks


@pytest.mark.slow
def test_export_and_serving(perform, smoke_out, causal_results, tmp_path):
    # These runs are trained already, for other tests.
    shutil.copytree(smoke_out, tmp_path / "results")
    shutil.copytree(causal_results.parents[1], tmp_path / "results", dirs_exist_ok=True)
    _write_utterances(tmp_path)
    printed = perform("export-and-serving.md", python=True, PROFILE="smoke --jobs 1")
    files = {path.name for path in (tmp_path / "bundle").iterdir()}
    assert {"model.onnx", "README.md", "predict.py", "run", "checksums.json"} <= files
    assert (tmp_path / "live" / "model.stream.onnx").is_file()
    outputs = {code: text for code, text in printed.items() if "import numpy" in code}
    assert [len(text.split()) for code, text in outputs.items() if ".stream()" in code] == [4]
    assert [len(eval(text)) for code, text in outputs.items() if ".stream()" not in code] == [8, 8, 2]
    with (tmp_path / "predictions.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header[:6] == ["dialogue", "utterance", "speaker", "start", "end", "label"] and len(rows) == 4
    answers = next(text for command, text in printed.items() if command == "predict live --stream --json")
    assert [json.loads(line)["dialogue"] for line in answers.splitlines()] == ["call"] * 4


def test_the_example_of_a_prediction_follows_the_schema():
    jsonschema = pytest.importorskip("jsonschema")
    (example,) = blocks("export-and-serving.md", "json")
    schema = json.loads((DOCS / "prediction.schema.json").read_text())
    jsonschema.validate(json.loads(example), schema)


def _write_utterances(folder: Path) -> None:
    """Four utterances of one dialogue, as CSV and as JSON lines, with the features of the smoke corpus."""
    features = np.random.default_rng(0).random((4, 12)).round(3).tolist()
    with (folder / "utterances.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["dialogue", "speaker", *(f"f{i}" for i in range(12))])
        writer.writerows([["call", "MF"[i % 2], *values] for i, values in enumerate(features)])
    lines = [{"dialogue": "call", "speaker": "MF"[i % 2], "features": values} for i, values in enumerate(features)]
    (folder / "utterances.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
