import contextlib
import csv
import io
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
from replicate.cli import main
from replicate.corpus.archive import write
from replicate.corpus.synthetic import generate


@pytest.fixture(scope="module")
def again(smoke_out, tmp_path_factory):
    """Results folder, stdout and stderr of a command whose runs were all complete."""
    out = tmp_path_factory.mktemp("again") / "out"
    shutil.copytree(smoke_out, out)
    before, stdout, stderr = signal.getsignal(signal.SIGTERM), io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr), pytest.raises(SystemExit) as exit_:
        main(["run", "table2", "--profile", "smoke", "--jobs", "1", "--out", str(out)])
    signal.signal(signal.SIGTERM, before)
    assert exit_.value.code == 0, stderr.getvalue()
    return out / "synthetic-tiny" / "smoke-paper", stdout.getvalue(), stderr.getvalue()


def cells(line):
    """Texts of a printed line, whose columns are two spaces apart."""
    return re.split(r"\s{2,}", line.strip())


def test_files_and_screen_hold_the_same_numbers(again):
    folder, stdout, stderr = again
    assert "12 runs, 12 completed, 0 to train" in stderr and "replicate export onnx" in stderr
    content = json.loads((folder / "table2.json").read_text())
    assert [row["row"] for row in content["rows"]] == [
        *("COGMEN-A", "COGMEN-AV", "COGMEN-Mask"),
        *("student of COGMEN-Mask", "COGMEN-A + Mask", "COGMEN-Mask, more context layers"),
    ]
    lines = {line["row"] + line["context"]: line for line in csv.DictReader((folder / "table2.csv").open())}
    for row in content["rows"]:
        (printed,) = [found for found in map(cells, stdout.splitlines()) if found[0] == row["row"]]
        for context, cell in row["cells"].items():
            shown = f"{cell['mean']:.3f} ± {cell['std']:.3f}"
            assert shown in printed and shown in (folder / "table2.md").read_text()
            assert float(lines[row["row"] + context]["mean"]) == cell["mean"]
            assert cell["verdict"] is None
    assert "synthetic" in stdout and "no replication" in stdout


def test_comparisons_are_printed_and_written(again):
    folder, stdout, _ = again
    comparisons = json.loads((folder / "table2.json").read_text())["comparisons"]
    assert len(comparisons) == 8
    printed = {tuple(found[:2]): found[2:] for found in map(cells, stdout.splitlines()) if len(found) == 5}
    for each in comparisons:
        low, high = each["ci95"]
        shown = [f"{each['difference']:+.3f} [{low:+.3f}, {high:+.3f}]", f"{each['p']:.3f}", f"{each['p_holm']:.3f}"]
        assert printed[each["first"], each["second"]] == shown
        assert f"| {each['first']} | {each['second']} | {' | '.join(shown)} |" in (folder / "table2.md").read_text()


def test_claims_about_the_table_are_printed_and_written(again):
    folder, stdout, _ = again
    content = json.loads((folder / "claims.json").read_text())
    outcomes = {claim["number"]: claim["outcome"] for claim in content["claims"]}
    # Two seeds decide nothing, and half of the claims need other tables.
    assert outcomes == dict.fromkeys((3, 4, 5, 6, 8), "undecided") | dict.fromkeys((1, 2, 7, 9, 10))
    for claim in content["claims"]:
        line = [f"{claim['number']}. {claim['text']}", claim["outcome"] or "not all of its cells are measured"]
        assert line in list(map(cells, stdout.splitlines()))
        assert f"| {' | '.join(line)} |" in (folder / "claims.md").read_text()
    assert "With 2 seeds no p can be at or below 0.05: nothing can be decided" in stdout


def test_tables_of_an_earlier_command_with_other_seeds_are_removed(replicate, smoke_out, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(smoke_out, out)
    folder = out / "synthetic-tiny" / "smoke-paper"
    (folder / "table1.md").write_text("of an earlier command with other seeds")
    (folder / "figures").mkdir(exist_ok=True)
    (folder / "figures" / "figure3.png").write_text("of the same")
    status, _, _ = replicate("run", "table2", "--profile", "smoke", "--seeds", "24,", "--jobs", 1, "--out", out)
    assert status == 0 and "(24)" in (folder / "table2.md").read_text()
    assert not (folder / "table1.md").exists() and not (folder / "figures" / "figure3.png").exists()


def test_a_mistake_in_the_claims_is_an_error_before_training(replicate, tmp_path, monkeypatch):
    from replicate.config import folders

    shutil.copytree(folders.packaged(), tmp_path / "tables")
    monkeypatch.setattr(folders, "packaged", lambda: tmp_path / "tables")
    path = tmp_path / "tables" / "claims.toml"
    path.write_text(path.read_text().replace("number = 4", "number = 3"))
    status, _, stderr = replicate("run", "table3", "--profile", "smoke", "--jobs", 1, "--out", tmp_path / "out")
    assert status == 1 and "error (invalid definition)" in stderr and "claims.toml, claim 3 has number 3" in stderr
    assert not (tmp_path / "out").exists()


def test_everything_that_is_written(smoke_results):
    names = {path.relative_to(smoke_results).as_posix() for path in smoke_results.rglob("*") if path.is_file()}
    assert {*(f"table2.{suffix}" for suffix in ("md", "tex", "tabular.tex", "csv", "json"))} <= names
    assert {"scores.csv", "comparisons.csv", "claims.md", "claims.json", "manifest.json", "index.html"} <= names
    assert {Path(name).suffix for name in names if name.startswith("figures/")} == {".png", ".svg"}
    assert not [name for name in names if Path(name).name.startswith(".")]


def test_completed_runs_are_not_repeated_and_new_seeds_are_added(replicate, smoke_out, tmp_path):
    status, stdout, stderr = replicate(
        "run", "table2", "--profile", "smoke", "--seeds", "3", "--dry-run", "--out", smoke_out
    )
    assert status == 0 and "18 runs, 12 completed, 6 to train" in stderr
    arms = ("COGMEN-A", "COGMEN-AV", "COGMEN-Mask", "Student-of-Mask", "COGMEN-A-masked", "COGMEN-Mask-deep")
    assert stdout.splitlines() == [f"{arm}, seed 26" for arm in arms]


def test_dry_run_writes_nothing(replicate, tmp_path):
    status, stdout, _ = replicate("run", "all", "--profile", "smoke", "--dry-run", "--out", tmp_path / "out")
    # Every arm once a seed, and eight more with an overridden setting of the protocol, which is named.
    lines = stdout.splitlines()
    assert status == 0 and len(lines) == len(set(lines)) == 2 * (19 + 8)
    assert (
        sum("released" in line for line in lines) == 2 * 8 and "Student-A (paper, released triplet), seed 24" in lines
    )
    assert not (tmp_path / "out").exists()


def test_extra_tables_are_run_when_they_are_named(replicate, tmp_path):
    status, stdout, _ = replicate("run", "all", "causal", "--profile", "smoke", "--dry-run", "--out", tmp_path / "out")
    lines = stdout.splitlines()
    assert status == 0 and len(lines) == 2 * (19 + 8 + 3)
    assert {line.split(",")[0] for line in lines if "-causal" in line} == {
        *("COGMEN-A-causal", "Student-A-causal", "COGMEN-Mask-causal"),
    }


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


@pytest.mark.parametrize("jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_ctrl_c_keeps_completed_runs_and_no_incomplete_files(tmp_path, jobs):
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
    assert stderr.splitlines()[:4] == [
        "table2, table4 on speech: 2 runs, 0 completed, 2 to train (2 epochs each, cpu, 1 at a time)",
        "table2: 4 of 6 rows need the visual stream",
        "table4: 3 of 4 rows need the visual and hubert streams",
        "table1: left out, its rows need the visual stream",
    ]
    folder = out / "speech" / "smoke-paper"
    four = (folder / "table4.md").read_text()
    assert re.search(r"\| COGMEN-A \| 1 \| 0\.\d{3} \(1 seed\) \| 0\.560 \| – \| – \|", four)
    assert "| HuBERT-AV | – | – | – | needs the hubert and visual streams | 0.530 |" in four
    assert "the corpus has no video features" in four and "--layer last" in four
    assert "needs the visual stream" in stdout and "COGMEN-A + Mask" in stdout
    assert not (folder / "table1.md").exists() and (folder / "index.html").is_file()
    outcomes = [claim["outcome"] for claim in json.loads((folder / "claims.json").read_text())["claims"]]
    assert outcomes == [None] * 10
    assert not list((folder / "figures").glob("figure[3-6].*"))
    # The same tables are left out by every command that loads the folder.
    assert replicate("report", "--results", folder).status == 0
    assert json.loads((folder / "manifest.json").read_text())["tables"] == ["table2", "table4"]


def test_hubert_features_alone_fill_their_rows(replicate, tmp_path):
    data = with_streams(tmp_path / "hubert.npz", "hubert")
    command = ["--data", data, "--profile", "smoke", "--seeds", "24,", "--jobs", 1, "--out", tmp_path / "out"]
    status, stdout, stderr = replicate("run", "table4", *command)
    assert status == 0 and "table4: 3 of 4 rows need the audio and visual streams" in stderr
    assert "features opensmile" in " ".join(stdout.split())


def test_a_name_in_brackets_is_a_name_and_no_markup(replicate, tmp_path):
    write(replace(generate("synthetic-tiny"), name="[/red]tiny"), tmp_path / "tiny.npz")
    out = tmp_path / "[b] out"
    arguments = ["--data", tmp_path / "tiny.npz", "--profile", "smoke", "--seeds", "24,", "--jobs", 1, "--out", out]
    status, stdout, stderr = replicate("run", "table2", *arguments)
    assert status == 0 and "table2 on [/red]tiny: " in stdout
    (written,) = out.glob("*/smoke-paper/table2.md")
    # The next command can be pasted: the path is quoted.
    assert shlex.split(stderr.splitlines()[-1])[-1] == str(written.parent)


@pytest.mark.parametrize("width", [60, 80])
def test_no_digit_is_cut_in_a_narrow_terminal(smoke_results, width):
    from rich.console import Console

    from replicate.report import tables
    from tests.experiment.builders import prepare

    screen = io.StringIO()
    (result,) = prepare(smoke_results.parents[1]).tables()
    tables.show(result, Console(file=screen, width=width))
    lines = list(map(cells, screen.getvalue().splitlines()))
    content = json.loads((smoke_results / "table2.json").read_text())
    assert content["corpus"]["hash"] == result.corpus_hash
    for expected in content["rows"]:
        (row,) = [line for line in lines if line[:2] == [expected["row"], "2"]]
        shown = [f"{cell['mean']:.3f} ± {cell['std']:.3f}" for cell in expected["cells"].values()]
        assert [text for text in row if "±" in text] == shown
    for each in content["comparisons"]:
        difference = f"{each['difference']:+.3f} [{each['ci95'][0]:+.3f}, {each['ci95'][1]:+.3f}]"
        assert [line for line in lines if line[-3:] == [difference, f"{each['p']:.3f}", f"{each['p_holm']:.3f}"]]


def test_a_full_disk_under_stdout_is_an_error():
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "replicate", "data", "list"], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 1 and "error (disk full)" in done.stderr and "Traceback" not in done.stderr


def test_all_shares_of_the_task_list_make_the_table(replicate, smoke_out, tmp_path):
    out = ["--profile", "smoke", "--out", str(tmp_path), "--jobs", "1", "--seeds", "24,"]
    trained = []
    for part in ("1/2", "2/2"):
        done = replicate("run", "table2", *out, "--task", part)
        assert done.status == 0, done.stderr
        trained.append(len(list((tmp_path / "runs").glob("[!.]*/run.json"))))
        assert f"Share {part} is complete; once all shares are: replicate run table2" in done.stderr
        assert not list(tmp_path.glob("*/*/table2.md"))
    assert 0 < trained[0] < trained[1] == 6
    assert "6 runs, 6 completed, 0 to train" in replicate("run", "table2", *out).stderr


@pytest.mark.parametrize("part", ["0/2", "3/2", "1", "a/b", "-1/2"])
def test_a_malformed_share_is_an_error(replicate, tmp_path, part):
    done = replicate("run", "table2", "--profile", "smoke", "--out", str(tmp_path), f"--task={part}")
    assert done.status == 1 and "error (bad share)" in done.stderr and "K/N" in done.stderr


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


def test_stacking_is_printed_and_part_of_the_repeated_command(replicate, tmp_path):
    done = replicate("run", "table2", "--profile", "smoke", "--out", tmp_path, "--jobs", "1", "--stack")
    assert done.status == 0, done.stderr
    assert "2 seeds as one program" in done.stderr
    manifest = json.loads((tmp_path / "synthetic-tiny" / "smoke-paper" / "manifest.json").read_text())
    assert (manifest["precision"], manifest["stacked"]) == ("float32", True)
    again = replicate(*shlex.split(manifest["command"])[1:])
    assert "12 runs, 12 completed, 0 to train" in again.stderr
    assert replicate("report", "--results", tmp_path / "synthetic-tiny" / "smoke-paper").status == 0


def test_an_address_needs_the_ray_engine(replicate, tmp_path):
    done = replicate("run", "table2", "--address", "auto", "--out", str(tmp_path))
    assert done.status == 2 and "--engine ray" in done.stderr


def test_ray_that_is_not_installed_is_named(replicate, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    done = replicate("run", "table2", "--profile", "smoke", "--out", str(tmp_path), "--engine", "ray")
    assert done.status == 1 and "error (missing engine)" in done.stderr and "[ray]" in done.stderr


@pytest.mark.slow
def test_run_all_completes(replicate, tmp_path):
    command = ("run", "all", "--profile", "smoke", "--seeds", "24,", "--jobs", "1", "--out", tmp_path / "out")
    status, stdout, _ = replicate(*command)
    assert status == 0
    for title in (*(f"table{i} on" for i in range(1, 6)), "protocol on", "The paper's claims on"):
        assert title in stdout


def test_seeds_are_given_one_by_one_or_as_a_list(replicate, tmp_path):
    command = ["run", "table3", "--profile", "smoke", "--dry-run", "--out", tmp_path / "out"]
    assert replicate(*command, "--seed", 31).stdout == replicate(*command, "--seeds", "31,").stdout
    assert replicate(*command, "--seed", 31, "--seed", 7).stdout == replicate(*command, "--seeds", "31,7").stdout
    both = replicate(*command, "--seed", 31, "--seeds", "31,")
    assert both.status == 2 and "--seed and --seeds exclude each other" in both.stderr
    assert "error (bad seeds)" in replicate(*command, "--seed", 31, "--seed", 31).stderr
