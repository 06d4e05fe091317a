import csv
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

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


def test_a_name_in_brackets_is_a_name_and_no_markup(replicate, tmp_path):
    from dataclasses import replace

    from replicate.corpus.archive import write
    from replicate.corpus.synthetic import generate as make

    write(replace(make("synthetic-tiny"), name="[/red]tiny"), tmp_path / "tiny.npz")
    out = tmp_path / "[b] out"
    arguments = ["--data", tmp_path / "tiny.npz", "--profile", "smoke", "--seeds", "24,", "--jobs", 1, "--out", out]
    status, stdout, stderr = replicate("run", "table2", *arguments)
    assert status == 0 and "table2 on [/red]tiny: " in stdout
    (written,) = out.glob("*/smoke-paper/table2.md")
    # The next command can be pasted: the path is quoted.
    assert shlex.split(stderr.splitlines()[-1])[-1] == str(written.parent)


@pytest.mark.parametrize("width", [60, 80])
def test_no_digit_is_cut_in_a_narrow_terminal(smoke_results, width):
    import io

    from rich.console import Console

    from replicate.corpus.synthetic import generate as make
    from replicate.experiment.campaign import Campaign
    from replicate.report import tables

    out = smoke_results.parents[1]
    campaign = Campaign.prepare(["table2"], "smoke", "paper", None, None, None, "cpu", 1, out)
    screen = io.StringIO()
    (result,) = campaign.results()
    tables.show(result, Console(file=screen, width=width))
    rows = [line.split() for line in screen.getvalue().splitlines() if line.strip().startswith("COGMEN")]
    content = json.loads((smoke_results / "table2.json").read_text())["rows"]
    assert make("synthetic-tiny").hash == result.corpus_hash
    for row, expected in zip(rows, content, strict=True):
        assert row[:2] == [expected["row"], "2"]
        for cell in expected["cells"].values():
            assert [f"{cell['mean']:.3f}", "±", f"{cell['std']:.3f}"] == [
                row[i + k] for k in range(3) for i in [row.index(f"{cell['mean']:.3f}")]
            ]


def test_a_full_disk_under_the_output_is_an_error_of_its_own():
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "replicate", "data", "list"], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == errors.DiskFull.exit_code and "Traceback" not in done.stderr
