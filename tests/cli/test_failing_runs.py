"""Commands in which some runs fail: the others are trained, and the failures are named."""

import json

import pytest

from replicate.experiment.manifest import Manifest

# Raises in its second batch, with the arm's own seed in the message.
METHOD = """
from dataclasses import dataclass

from replicate.training.distillation import DistillationMethod, MethodLosses, Settings, register


@dataclass(frozen=True)
class BrokenSettings(Settings):
    broken_weight: float = 1.0


@register("broken", BrokenSettings)
class Broken(DistillationMethod):
    def __init__(self, setup):
        super().__init__(setup, {"broken": setup.settings.broken_weight})

    def forward(self, student, teachers, labels):
        raise IndexError("no such\\nutterance")
"""
TABLE = """
title = "One that works and one that does not"
source = "not in the paper"
in_paper = false
contexts = ["A"]
compare = [["works/A", "broken/A"]]

[[rows]]
name = "works"
arm = "Student-A"

[[rows]]
name = "broken"
arm = { like = "Student-A", distillation.method = "broken" }
"""


@pytest.fixture
def mine(tmp_path):
    """A folder with a method that raises and a table with it."""
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "method_that_raises.py").write_text(METHOD)
    (folder / "works-and-not.toml").write_text(TABLE)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_plugin_that_raises_fails_alone_and_is_named(replicate, mine, tmp_path, jobs):
    arguments = ["works-and-not", "--config-dir", mine, "--profile", "smoke", "--seeds", "24,25", "--jobs", jobs]
    status, stdout, stderr = replicate("run", *arguments, "--out", tmp_path / "out")
    assert status == 1 and "Traceback" not in stderr
    (plugin,) = mine.glob("method_*.py")
    error = stderr.splitlines()[-1]
    assert error.startswith("error (training failed): 2 runs were not trained: ") and error.count("IndexError") == 1
    assert ": 2 seeds (24-25): IndexError: no such utterance (plugin " in error and "-v prints the traceback" in error
    assert str(plugin) in error and "the same command tries again" in error
    # The table is there, with numbers in one row and the reason in the other.
    assert "failed: IndexError" in stdout and "failed: IndexError: no such utterance (plugin" in stdout
    folder = tmp_path / "out" / "synthetic-tiny" / "smoke-paper"
    works, broken = json.loads((folder / "works-and-not.json").read_text())["rows"]
    assert works["cells"]["A"]["n"] == 2 and "failed" not in works
    assert broken["failed"].startswith("IndexError: no such utterance (plugin") and broken["cells"]["A"]["n"] == 0
    manifest = Manifest.load(folder)
    assert len(manifest.runs) == 6 and [run.kind for run in manifest.failed] == ["IndexError"] * 2
    assert manifest.config_dirs == (str(mine),) and f"--config-dir {mine}" in manifest.command
    # Only the two are tried again; what is written without training names them still.
    assert "6 runs, 4 completed, 2 to train" in replicate("run", *arguments, "--out", tmp_path / "out").stderr
    again = replicate("report", "--results", folder, "--config-dir", mine)
    assert again.status == 0 and "From 4 completed runs" in again.stderr
    assert "failed: IndexError" in (folder / "works-and-not.md").read_text()


def test_a_plugin_that_exits_fails_alone(replicate, mine, tmp_path):
    (plugin,) = mine.glob("method_*.py")
    plugin.write_text(METHOD.replace("raise IndexError", "raise SystemExit"))
    arguments = ["--config-dir", mine, "--profile", "smoke", "--seeds", "24,", "--jobs", 1, "--out", tmp_path / "out"]
    status, stdout, stderr = replicate("run", "works-and-not", *arguments)
    assert status == 1 and "failed: SystemExit" in stdout
    assert stderr.splitlines()[-1].startswith("error (training failed): 1 run was not trained: ")


def test_a_share_in_which_a_run_fails_is_an_error(replicate, mine, tmp_path):
    arguments = ["--config-dir", mine, "--profile", "smoke", "--seeds", "24,", "--jobs", 1, "--out", tmp_path / "out"]
    status, stdout, stderr = replicate("run", "works-and-not", *arguments, "--task", "1/1")
    assert status == 1 and stdout == "" and "error (training failed): 1 run was not trained" in stderr
