import json
import shutil

import numpy as np
import onnx
import pytest

from export.benchmark import BATCHES, THREADS
from replicate import errors


@pytest.fixture(scope="module")
def bench_out(smoke_out, tmp_path_factory):
    out = tmp_path_factory.mktemp("bench") / "results"
    shutil.copytree(smoke_out, out)
    return out


def test_export_then_benchmark_from_the_command_line(replicate, bench_out):
    status, stdout, stderr = replicate("export", "onnx", "--results", bench_out)
    assert status == 0 and stdout.strip().endswith("model.onnx")
    assert "largest difference" in stderr and "replicate benchmark" in stderr
    status, stdout, _ = replicate("benchmark", "--results", bench_out, "--calls", 3)
    assert status == 0
    content = json.loads(next(bench_out.rglob("benchmark.json")).read_text())
    rows = content["milliseconds"]
    assert len(rows) == 3 * len(BATCHES) * len(THREADS)
    assert all(row["n"] == 3 and 0 < row["p50"] <= row["p90"] <= row["p99"] for row in rows)
    scores = {entry["engine"]: entry["test_f1"] for entry in content["test"]}
    assert len(scores) == 3 and np.ptp(list(scores.values())) < 1e-9
    assert f"{scores['onnxruntime']:.4f}" in stdout


def test_a_file_that_computes_something_else_is_not_timed(replicate, bench_out, tmp_path):
    status, stdout, _ = replicate("export", "onnx", "--results", bench_out, "--out", tmp_path)
    model = onnx.load(tmp_path / "model.onnx")
    for tensor in model.graph.initializer:
        if tensor.name.endswith("clf.lin2.bias"):
            array = onnx.numpy_helper.to_array(tensor)
            tensor.CopyFrom(onnx.numpy_helper.from_array(array + np.arange(4, dtype="f4"), tensor.name))
    onnx.save(model, tmp_path / "model.onnx")
    status, stdout, stderr = replicate("benchmark", "--results", bench_out, "--model", tmp_path / "model.onnx")
    assert status == errors.ExportFailed.exit_code and stdout == "" and "differs from PyTorch" in stderr
