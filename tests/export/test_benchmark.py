import json
import shutil

import numpy as np
import pytest

from export.benchmark import BATCHES, THREADS


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
