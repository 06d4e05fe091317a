import contextlib
import io
import json
import shutil
import signal
from pathlib import Path

import numpy as np
import onnx
import pytest

from export import benchmark
from export.benchmark import BATCHES, THREADS
from replicate import errors
from replicate.cli import main


@pytest.fixture(scope="module")
def bench_out(smoke_out, tmp_path_factory):
    """An --out folder from which a model was exported, and what the command said."""
    out = tmp_path_factory.mktemp("bench") / "results"
    shutil.copytree(smoke_out, out)
    before, stdout, stderr = signal.getsignal(signal.SIGTERM), io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr), pytest.raises(SystemExit) as exit_:
        main(["export", "onnx", "--results", str(out)])
    signal.signal(signal.SIGTERM, before)
    assert exit_.value.code == 0, stderr.getvalue()
    return out, stdout.getvalue(), stderr.getvalue()


def test_export_then_benchmark_from_the_command_line(replicate, bench_out, monkeypatch):
    out, stdout, stderr = bench_out
    assert stdout.strip().endswith("model.onnx") and Path(stdout.strip()).is_file()
    assert "largest difference" in stderr and "replicate benchmark" in stderr
    # Two threads on a machine that is busy otherwise take a hundred times as long.
    monkeypatch.setattr(benchmark, "WARM", 1)
    status, stdout, _ = replicate("benchmark", "--results", out, "--calls", 3)
    assert status == 0
    content = json.loads(next(out.rglob("benchmark.json")).read_text())
    rows = content["milliseconds"]
    assert len(rows) == 3 * len(BATCHES) * len(THREADS)
    assert all(row["n"] == 3 and 0 < row["p50"] <= row["p90"] <= row["p99"] for row in rows)
    scores = {entry["engine"]: entry["test_f1"] for entry in content["test"]}
    assert len(scores) == 3 and np.ptp(list(scores.values())) < 1e-9
    assert f"{scores['onnxruntime']:.4f}" in stdout


def test_a_file_that_computes_something_else_is_not_timed(replicate, bench_out, tmp_path):
    out, exported, _ = bench_out
    model = onnx.load(exported.strip())
    for tensor in model.graph.initializer:
        if tensor.name.endswith("clf.lin2.bias"):
            array = onnx.numpy_helper.to_array(tensor)
            tensor.CopyFrom(onnx.numpy_helper.from_array(array + np.arange(4, dtype="f4"), tensor.name))
    onnx.save(model, tmp_path / "model.onnx")
    status, stdout, stderr = replicate("benchmark", "--results", out, "--model", tmp_path / "model.onnx")
    assert status == errors.ExportFailed.exit_code and stdout == "" and "differs from PyTorch" in stderr
