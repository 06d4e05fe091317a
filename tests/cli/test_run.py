"""`replicate run`: what is trained, what is left out, and which mistakes are named."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from replicate import errors
from replicate.config import tables as definitions
from replicate.config.protocols import protocol
from replicate.corpus.archive import write
from replicate.corpus.synthetic import generate


def test_a_mistake_in_the_claims_is_an_error_before_training(replicate, tmp_path, monkeypatch):
    from replicate.config import folders

    shutil.copytree(folders.packaged(), tmp_path / "tables")
    monkeypatch.setattr(folders, "packaged", lambda: tmp_path / "tables")
    path = tmp_path / "tables" / "claims.toml"
    path.write_text(path.read_text().replace("number = 4", "number = 3"))
    status, _, stderr = replicate("run", "table3", "--profile", "smoke", "--jobs", 1, "--out", tmp_path / "out")
    assert status == 1 and "error (invalid definition)" in stderr and "claims.toml, claim 3 has number 3" in stderr
    assert not (tmp_path / "out").exists()


def test_completed_runs_are_not_repeated_and_new_seeds_are_added(replicate, smoke_out, tmp_path):
    status, stdout, stderr = replicate(
        "run", "table2", "--profile", "smoke", "--seeds", "3", "--dry-run", "--out", smoke_out
    )
    assert status == 0 and "18 runs, 12 completed, 6 to train" in stderr
    arms = ("COGMEN-A", "COGMEN-AV", "COGMEN-Mask", "Student-of-Mask", "COGMEN-A-masked", "COGMEN-Mask-deep")
    assert stdout.splitlines() == [f"{arm}, seed 26" for arm in arms]


def test_a_manifest_of_a_newer_version_is_left_alone_and_nothing_is_trained(replicate, tmp_path):
    folder = tmp_path / "synthetic-tiny" / "smoke-paper"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text('{"format": 99}')
    done = replicate("run", "table4", "--profile", "smoke", "--out", tmp_path)
    assert done.status == 1 and done.stderr.splitlines()[-1].startswith("error (newer format): ")
    assert [path.name for path in folder.iterdir()] == ["manifest.json"] and not (tmp_path / "runs").exists()
    assert (folder / "manifest.json").read_text() == '{"format": 99}'


@pytest.mark.parametrize("content", ["{}", "{", '{"format": 2}'])
def test_a_manifest_that_cannot_be_used_is_named_before_it_is_replaced(replicate, tmp_path, content):
    path = tmp_path / "synthetic-tiny" / "smoke-paper" / "manifest.json"
    path.parent.mkdir(parents=True)
    path.write_text(content)
    done = replicate("run", "table4", "--profile", "smoke", "--dry-run", "--out", tmp_path)
    (line,) = [line for line in done.stderr.splitlines() if "replaces it" in line]
    assert done.status == 0 and str(path) in line and path.read_text() == content


def test_dry_run_writes_nothing(replicate, tmp_path):
    status, stdout, _ = replicate("run", "all", "--profile", "smoke", "--dry-run", "--out", tmp_path / "out")
    # Every arm of the paper's tables once a seed.
    tables = [definitions.table(name) for name in definitions.table_names()]
    arms = {arm for table in tables if table.in_paper for row in table.rows for arm in row.arm.with_teachers}
    lines = stdout.splitlines()
    assert status == 0 and len(lines) == len(set(lines)) == 2 * len(arms)
    assert set(lines) == {f"{arm.name}, seed {seed}" for arm in arms for seed in (24, 25)}
    # The cheapest table comes first, and all of its seeds.
    four = {row.arm.name for row in definitions.table("table4").rows}
    assert {line.partition(",")[0] for line in lines[: 2 * len(four)]} == four
    assert not (tmp_path / "out").exists()


def test_rows_that_override_settings_of_the_protocol_are_runs_of_their_own(replicate, tmp_path):
    command = ("run", "protocol", "--profile", "smoke", "--seeds", "24,", "--dry-run", "--out", tmp_path / "out")
    lines = replicate(*command).stdout.splitlines()
    table = definitions.table("protocol")
    changed = [row for row in table.rows if table.protocol_of(row, protocol("paper")) != protocol("paper")]
    assert changed and len([line for line in lines if " (paper" in line]) == len(changed)
    assert "Student-A (paper, released triplet), seed 24" in lines


def test_extra_tables_are_run_when_they_are_named(replicate, tmp_path):
    command = ["--profile", "smoke", "--seeds", "24,", "--dry-run", "--out", tmp_path / "out"]
    both, alone = (replicate("run", *names, *command) for names in (("all", "causal"), ("all",)))
    assert both.status == alone.status == 0
    more = set(both.stdout.splitlines()) - set(alone.stdout.splitlines())
    causal = {arm.name for row in definitions.table("causal").rows for arm in row.arm.with_teachers if arm.causal}
    assert causal and more == {f"{name}, seed 24" for name in causal}


@pytest.mark.slow
def test_damaged_runs_are_named_and_trained_again_with_repair(replicate, smoke_out, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(smoke_out, out)
    table = (out / "synthetic-tiny" / "smoke-paper" / "table2.json").read_bytes()
    command = ["run", "table2", "--profile", "smoke", "--jobs", 1, "--out", out]
    # Of COGMEN-A and COGMEN-AV, seed 24.
    keys = json.loads((out / "synthetic-tiny" / "smoke-paper" / "manifest.json").read_text())["runs"][:2]
    for key in keys:
        (out / "runs" / key / "predictions.npz").write_bytes(b"")
    status, stdout, stderr = replicate(*command)
    assert status == 1 and "error (corrupt run)" in stderr and stdout == ""
    assert all(key in stderr for key in keys) and "--repair" in stderr and stderr.count("\n") == 1
    status, stdout, _ = replicate(*command, "--dry-run", "--repair")
    assert status == 0 and stdout.splitlines() == ["COGMEN-A, seed 24", "COGMEN-AV, seed 24"]
    assert all((out / "runs" / key).is_dir() for key in keys)
    status, _, stderr = replicate(*command, "--repair")
    assert status == 0 and "12 runs, 10 completed, 2 to train" in stderr
    lines = [line.split(";")[0] for line in stderr.splitlines() if line.startswith("run ")]
    assert lines == ["run 1/2 complete: COGMEN-A, seed 24", "run 2/2 complete: COGMEN-AV, seed 24"]
    assert (out / "synthetic-tiny" / "smoke-paper" / "table2.json").read_bytes() == table


def test_a_folder_that_cannot_be_written_is_named(replicate, tmp_path):
    (tmp_path / "file").write_text("")
    status, _, stderr = replicate(
        "run", "table2", "--profile", "smoke", "--seeds", "24,", "--jobs", 1, "--out", tmp_path / "file"
    )
    assert status == 1 and "error (cannot write)" in stderr and "file" in stderr and stderr.count("error") == 1


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_ctrl_c_keeps_completed_runs_and_no_incomplete_files(tmp_path, jobs):
    out = tmp_path / "out"
    command = [sys.executable, "-m", "replicate", "run", "table2", "--profile", "smoke", "--seeds", "40"]
    process = subprocess.Popen(
        [*command, "--jobs", str(jobs), "--out", str(out)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 300
    while not list(out.glob("runs/*/run.json")) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGINT)
    stdout, stderr = process.communicate(timeout=300)
    assert process.returncode == errors.INTERRUPTED_EXIT_CODE
    assert stdout == "" and "Traceback" not in stderr
    assert stderr.splitlines()[-1].startswith("error (interrupted): ")
    folders = [folder for folder in (out / "runs").glob("[!.]*") if folder.name != "embeddings"]
    assert folders and all((folder / "run.json").is_file() for folder in folders)
    assert not list((out / "runs").glob(".incomplete-*"))
    assert not (out / "synthetic-tiny").exists()


def with_streams(path, *names):
    """Write the tiny corpus with these streams alone."""
    source = generate("synthetic-tiny")
    dialogues = tuple(replace(d, features={name: d.features[name] for name in names}) for d in source.dialogues)
    write(replace(source, name="speech", dialogues=dialogues), path)
    return path


def test_a_corpus_without_video_fills_the_rows_of_audio_alone(replicate, tmp_path):
    """What `replicate features` makes of recordings of one's own."""
    data, out = with_streams(tmp_path / "speech.npz", "audio"), tmp_path / "out"
    command = ["--data", data, "--profile", "smoke", "--seeds", "24,", "--jobs", 1, "--out", out]
    status, stdout, stderr = replicate("run", "table1", "table2", "table4", *command)
    assert status == 0, stderr
    assert stderr.startswith("Self-test on generated features: speech is a positive control")
    assert stderr.splitlines()[1:5] == [
        "table2, table4 on speech: 2 runs, 0 completed, 2 to train (2 epochs each, cpu, 1 at a time)",
        "table2: 4 of 6 rows need a privileged stream",
        "table4: 3 of 4 rows need the hubert stream and a privileged stream",
        "table1: left out, its rows need a privileged stream",
    ]
    folder = out / "speech" / "smoke-paper"
    four = (folder / "table4.md").read_text()
    assert re.search(r"\| COGMEN-A \| 1 \| 0\.\d{3} \(1 seed\) \| – \|", four)
    assert "| HuBERT-AV | – | – | needs the hubert stream and a privileged stream |" in four and "0.530" not in four
    assert "need a privileged stream, and none is used" in four and "--layer last" in four
    assert "needs a privileged stream" in stdout and "COGMEN-A + Mask" in stdout
    assert not (folder / "table1.md").exists() and (folder / "index.html").is_file()
    outcomes = [claim["outcome"] for claim in json.loads((folder / "claims.json").read_text())["claims"]]
    assert outcomes == [None] * 13
    assert not list((folder / "figures").glob("figure[3-6].*"))
    # The same tables are left out by every command that loads the folder.
    assert replicate("report", "--results", folder).status == 0
    assert json.loads((folder / "manifest.json").read_text())["tables"] == ["table2", "table4"]


def test_hubert_features_alone_fill_their_rows(replicate, tmp_path):
    data = with_streams(tmp_path / "hubert.npz", "hubert")
    command = ["--data", data, "--profile", "smoke", "--seeds", "24,", "--jobs", 1, "--out", tmp_path / "out"]
    status, stdout, stderr = replicate("run", "table4", *command)
    assert status == 0 and "table4: 3 of 4 rows need the audio stream and a privileged stream" in stderr
    assert "features opensmile" in " ".join(stdout.split())


def test_a_full_disk_under_stdout_is_an_error():
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "replicate", "data", "list"], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 1 and "error (disk full)" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.slow
def test_two_folders_can_share_a_store(replicate, tmp_path):
    common = [
        "run",
        "table2",
        "--profile",
        "smoke",
        "--seeds",
        "24,",
        "--jobs",
        "1",
        "--store",
        str(tmp_path / "there"),
    ]
    first = replicate(*common, "--out", str(tmp_path / "first"))
    assert first.status == 0, first.stderr
    second = replicate(*common, "--out", str(tmp_path / "second"))
    assert "6 runs, 6 completed, 0 to train" in second.stderr
    assert second.stdout == first.stdout


@pytest.mark.slow
def test_stacking_is_printed_and_part_of_the_repeated_command(replicate, tmp_path):
    done = replicate("run", "table2", "--profile", "smoke", "--out", tmp_path, "--jobs", "1", "--stack")
    assert done.status == 0, done.stderr
    assert "2 seeds as one program" in done.stderr
    manifest = json.loads((tmp_path / "synthetic-tiny" / "smoke-paper" / "manifest.json").read_text())
    assert (manifest["precision"], manifest["stacked"]) == ("float32", True)
    again = replicate(*shlex.split(manifest["command"])[1:])
    assert "12 runs, 12 completed, 0 to train" in again.stderr
    assert replicate("report", "--results", tmp_path / "synthetic-tiny" / "smoke-paper").status == 0


@pytest.mark.parametrize("option", [("--address", "auto"), ("--gpu-share", 1)])
def test_options_of_a_cluster_need_the_ray_engine(replicate, tmp_path, option):
    done = replicate("run", "table2", *option, "--out", str(tmp_path))
    assert done.status == 2 and f"{option[0]} needs --engine ray" in done.stderr


def test_the_number_of_epochs_is_counted(replicate, tmp_path):
    (tmp_path / "profiles.toml").write_text('[one]\ncorpus = "synthetic-tiny"\nseeds = [24]\nepochs = 1\n')
    command = ("run", "table2", "--profile", "one", "--config-dir", tmp_path, "--seeds", "24,", "--dry-run")
    assert "(1 epoch each, " in replicate(*command, "--out", tmp_path / "out").stderr


@pytest.mark.slow
def test_a_pipe_that_closes_early_is_no_error(smoke_out, tmp_path):
    out = shutil.copytree(smoke_out, tmp_path / "out")  # the command writes the manifest again
    words = ["run", "table2", "--profile", "smoke", "--jobs", "1", "--out", str(out)]
    command = [sys.executable, "-m", "replicate", *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == 0 and b"error" not in stderr.lower() and b"Traceback" not in stderr, stderr


def test_ray_that_is_not_installed_is_named(replicate, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    done = replicate("run", "table2", "--profile", "smoke", "--out", str(tmp_path), "--engine", "ray")
    assert done.status == 1 and "error (missing engine)" in done.stderr and "[ray]" in done.stderr


@pytest.mark.slow
def test_run_all_completes(replicate, tmp_path):
    command = ("run", "all", "--profile", "smoke", "--seeds", "24,", "--jobs", "1", "--out", tmp_path / "out")
    status, stdout, _ = replicate(*command)
    assert status == 0
    for title in (*(f"table{i} on" for i in range(1, 6)), "Self-test on the positive control"):
        assert title in stdout


def test_seeds_are_given_one_by_one_or_as_a_list(replicate, tmp_path):
    command = ["run", "table3", "--profile", "smoke", "--dry-run", "--out", tmp_path / "out"]
    assert replicate(*command, "--seed", 31).stdout == replicate(*command, "--seeds", "31,").stdout
    assert replicate(*command, "--seed", 31, "--seed", 7).stdout == replicate(*command, "--seeds", "31,7").stdout
    both = replicate(*command, "--seed", 31, "--seeds", "31,")
    assert both.status == 2 and "--seed and --seeds exclude each other" in both.stderr
    assert "error (bad seeds)" in replicate(*command, "--seed", 31, "--seed", 31).stderr
