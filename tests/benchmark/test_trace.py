import dataclasses
import json

import pytest

from replicate import errors
from replicate.benchmark import trace
from replicate.config.arms import arms
from replicate.config.profiles import profile
from replicate.config.protocols import protocol
from replicate.corpus.synthetic import generate
from replicate.training.config import RunSpec


def spec(arm="COGMEN-A", **budget):
    smoke = profile("smoke").budget
    return RunSpec(arms()[arm], protocol("paper"), dataclasses.replace(smoke, **budget), 24)


def test_a_trace_contains_one_epoch_and_is_the_only_file(tmp_path):
    seconds = trace.write(spec(epochs=9), generate("synthetic-tiny"), "cpu", tmp_path / "trace.json")
    assert [path.name for path in tmp_path.iterdir()] == ["trace.json"] and seconds > 0
    names = [event["name"] for event in json.loads((tmp_path / "trace.json").read_text())["traceEvents"]]
    steps = sum(name.startswith("Optimizer.step") for name in names)
    batches = -(-len(generate("synthetic-tiny").split("train")) // spec().budget.batch)
    assert steps == batches and any("addmm" in name for name in names)


def test_from_the_command_line(replicate, tmp_path):
    out = tmp_path / "out"
    command = ("run", "table2", "--profile", "smoke", "--out", out, "--trace", tmp_path / "t.json")
    status, _, stderr = replicate(*command)
    assert status == 0 and "COGMEN-A, seed 24" in stderr and "perfetto" in stderr
    assert (tmp_path / "t.json").is_file() and not out.exists()


@pytest.mark.parametrize("where", ["folder", "folder/x/t.json"])
def test_a_trace_that_cannot_be_written_is_named(tmp_path, where):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "x").write_text("")
    with pytest.raises(errors.CannotWrite):
        trace.write(spec(), generate("synthetic-tiny"), "cpu", tmp_path / where)
