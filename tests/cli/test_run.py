import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from replicate import errors


def test_files_and_screen_hold_the_same_numbers(replicate, smoke_out, tmp_path):
    shutil.copytree(smoke_out, tmp_path / "out")
    smoke_out, smoke_results = tmp_path / "out", tmp_path / "out" / "synthetic-tiny" / "smoke-paper"
    status, stdout, stderr = replicate("run", "table2", "--profile", "smoke", "--jobs", 1, "--out", smoke_out)
    assert status == 0
    assert "6 runs, 6 finished, 0 to train" in stderr and "replicate export onnx" in stderr
    content = json.loads((smoke_results / "table2.json").read_text())
    assert [row["row"] for row in content["rows"]] == ["COGMEN-A", "COGMEN-AV", "COGMEN-Mask"]
    lines = {line["row"] + line["context"]: line for line in csv.DictReader((smoke_results / "table2.csv").open())}
    for row in content["rows"]:
        for context, cell in row["cells"].items():
            shown = f"{cell['mean']:.3f} ± {cell['std']:.3f}"
            assert shown in stdout and shown in (smoke_results / "table2.md").read_text()
            assert float(lines[row["row"] + context]["mean"]) == cell["mean"]
            assert cell["verdict"] is None
    assert "synthetic" in stdout and "no replication" in stdout


def test_finished_runs_are_not_repeated_and_new_seeds_are_added(replicate, smoke_out, tmp_path):
    status, stdout, stderr = replicate(
        "run", "table2", "--profile", "smoke", "--seeds", "3", "--dry-run", "--out", smoke_out
    )
    assert status == 0 and "9 runs, 6 finished, 3 to train" in stderr
    assert stdout.splitlines() == ["COGMEN-A, seed 26", "COGMEN-AV, seed 26", "COGMEN-Mask, seed 26"]


def test_dry_run_writes_nothing(replicate, tmp_path):
    status, stdout, _ = replicate("run", "all", "--profile", "smoke", "--dry-run", "--out", tmp_path / "out")
    assert status == 0 and len(stdout.splitlines()) == 6
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_named(replicate, tmp_path):
    (tmp_path / "file").write_text("")
    status, _, stderr = replicate(
        "run", "table2", "--profile", "smoke", "--seeds", "24,", "--jobs", 1, "--out", tmp_path / "file"
    )
    assert status == errors.CannotWrite.exit_code and "file" in stderr and stderr.count("error:") == 1


@pytest.mark.parametrize("jobs", [1, 2])
def test_ctrl_c_keeps_what_is_finished_and_nothing_half(tmp_path, jobs):
    out = tmp_path / "out"
    command = [sys.executable, "-m", "replicate", "run", "table2", "--profile", "smoke", "--seeds", "40"]
    process = subprocess.Popen(
        [*command, "--jobs", str(jobs), "--out", str(out)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while not list(out.glob("runs/*/run.json")) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == errors.INTERRUPTED_EXIT_CODE
    assert stdout == "" and "Traceback" not in stderr
    assert stderr.splitlines()[-1].startswith("error: interrupted")
    folders = list((out / "runs").iterdir())
    assert folders and all((folder / "run.json").is_file() for folder in folders)
    assert not (out / "synthetic-tiny").exists()
