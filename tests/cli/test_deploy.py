"""Deployments are measured by a command, stay in the table, and a model is exported by its latency."""

import json

import pytest

TABLE = """
title = "Mine"
source = "nowhere"
in_paper = false
contexts = ["A"]
deployments = true
[[rows]]
name = "large"
arm = "COGMEN-A-4-layers"
feed_forward = 32
[[rows]]
name = "small"
feed_forward = 8
teacher_feed_forward = 32
[rows.arm]
like = "COGMEN-A-4-layers"
context_layers = 1
teacher = "COGMEN-A-4-layers"
distillation = { method = "logits" }
"""


@pytest.mark.slow
def test_deployments_are_measured_once_and_a_model_is_chosen_by_its_latency(replicate, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "mine.toml").write_text(TABLE)
    out, mine = tmp_path / "out", ("--config-dir", tmp_path / "mine")
    done = replicate("run", "mine", "--profile", "smoke", "--seeds", "1", "--jobs", "1", "--out", out, *mine)
    folder = out / "synthetic-tiny" / "smoke-paper"
    assert done.status == 0 and "were not measured" in (folder / "mine.md").read_text()
    assert json.loads((folder / "manifest.json").read_text())["runs"]
    done = replicate("bench-inference", "--results", folder, "--calls", "10", *mine)
    assert (
        done.status == 0 and "measured 4 deployments in deployments.json;" in done.stderr and "F1 on dev" in done.stdout
    )
    found = {
        (each["row"], each["precision"]): each
        for each in json.loads((folder / "deployments.json").read_text())["deployments"]
    }
    large, small = found["large", "fp32"], found["small", "fp32"]
    assert small["megabytes"] < large["megabytes"] and large["megabytes"] > found["large", "int8"]["megabytes"]
    assert all(each["p50"] > 0 and each["peak_megabytes"] > 20 for each in found.values())
    after = (folder / "mine.md").read_text()
    assert after.count("| int8 |") == 2
    assert replicate("report", "--results", folder, *mine).status == 0 and (folder / "mine.md").read_text() == after
    done = replicate("export", "onnx", "--results", folder, "--budget-ms", "1000", "--out", tmp_path / "b", *mine)
    assert done.status == 0 and "within 1000 ms: " in done.stderr and "model.onnx of " in done.stderr
    assert "within 1000 ms on one thread" in (tmp_path / "b" / "README.md").read_text()
    done = replicate("export", "onnx", "--results", folder, "--budget-ms", "1e-9", "--out", tmp_path / "c", *mine)
    assert done.status == 1 and "raise --budget-ms" in done.stderr and not (tmp_path / "c").exists()
    assert replicate("export", "onnx", "--results", folder, "--budget-ms", "1", "--arm", "small").status == 2
