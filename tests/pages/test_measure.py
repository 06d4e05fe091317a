"""`make results`: what it runs in which order, what it keeps, and when it writes docs/results/."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from docs import measure
from docs.costs import Cost
from docs.entries import Command, Measurement
from replicate.expected.conditions import conditions
from replicate.provenance import Revision
from tests.expected.conftest import result, write

from .conftest import ROOT

# Appends its name to a list, and writes whether the repository in the current folder has changes.
STEP = """
import pathlib, subprocess, sys
name, target = sys.argv[1:]
with open("{log}", "a") as file:
    print(name, file=file)
if pathlib.Path("{log}").with_name("fail-" + name).exists():
    sys.exit(5)
changes = subprocess.run(["git", "status", "--porcelain"], capture_output=True, text=True, check=True).stdout
pathlib.Path(target).parent.mkdir(parents=True, exist_ok=True)
pathlib.Path(target).write_text(f"changes: {{changes}}")
"""


def entry(name: str, step: Path, **others: object) -> Command:
    return Command(name, "", (f"{name}.md",), (f"python {step} {name} {{out}}/{name}.md",), **others)


class Made:
    """A repository whose docs/results/ is made by two entries, and by one that needs a file."""

    def __init__(self, folder: Path) -> None:
        self.root, self.log, self.results = folder / "repository", folder / "log", folder / "repository" / "results"
        self.results.mkdir(parents=True)
        step = folder / "step.py"
        step.write_text(STEP.format(log=self.log))
        self.entries = [entry("dear", step), entry("cheap", step), entry("data", step, needs=("corpus.npz",))]
        costs = {name: {"other_seconds": seconds} for name, seconds in (("dear", 3600), ("cheap", 36), ("data", 7200))}
        (self.results / "costs.json").write_text(json.dumps(costs))
        (self.results / "cheap.md").write_text("as it was")
        git = ["git", "-c", "user.name=n", "-c", "user.email=e@e", "-C", str(self.root)]
        for words in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "first"]):
            subprocess.run([*git, *words], check=True)

    @property
    def run(self) -> list[str]:
        """The entries that were run, in their order."""
        return self.log.read_text().split() if self.log.exists() else []


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Made:
    found = Made(tmp_path)
    monkeypatch.chdir(found.root)
    monkeypatch.setattr(measure, "RESULTS", found.results)
    monkeypatch.setattr(measure, "everything", lambda: found.entries)
    monkeypatch.setattr(measure, "write_derived", lambda: None)
    monkeypatch.setattr(measure, "revision", lambda: Revision("a" * 40, True))
    return found


def call(made: Made, *options: str) -> Result:
    folder = made.root.parent
    return CliRunner().invoke(measure.main, [str(folder), "--out", str(folder / "out"), *options])


def test_the_cheapest_entry_is_run_first_and_finds_no_changes(made):
    (made.root.parent / "corpus.npz").touch()
    done = call(made)
    assert (done.exit_code, made.run) == (0, ["cheap", "dear", "data"])
    assert {path.name: path.read_text() for path in made.results.glob("*.md")} == {
        f"{name}.md": "changes: " for name in made.run
    }
    costs = json.loads((made.results / "costs.json").read_text())
    assert all(0 <= costs[name]["other_seconds"] < 36 and costs[name]["cores"] for name in made.run)


def test_the_list_states_hours_and_a_dry_run_runs_nothing(made):
    done = call(made, "--dry-run")
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert [line for line in lines if line.startswith(("cheap", "dear", "data"))] == [
        "cheap 0.01 not measured here",
        "dear 1.00 not measured here",
        "data 2.00 needs corpus.npz",
    ]
    assert "3.0 hours on 2 cores for the 3 that were measured; 0 of 3 entries complete" in done.stdout
    assert (done.exit_code, made.run) == (0, [])


def test_a_missing_file_is_named_before_anything_is_run(made):
    done = call(made)
    assert done.exit_code == 1 and made.run == []
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"Error: missing: {made.root.parent / 'corpus.npz'}, for data: add them")
    for options in (("--only", "dear"), ("--without", "corpus.npz", "--without", "data", "--without", "cheap")):
        assert call(made, *options).exit_code == 0
    assert made.run == ["dear"]  # complete the second time


def test_complete_entries_are_not_repeated(made):
    for _ in range(2):
        assert call(made, "--only", "cheap").exit_code == 0
    (made.root.parent / "out" / "commands" / "cheap" / "cheap.md").write_text("edited")
    listed = call(made, "--only", "cheap", "--dry-run").stdout
    assert "its outputs were changed" in listed and "0 of 1 entry complete" in listed
    assert made.run == ["cheap"]


def test_changes_are_noted_before_something_is_run(made, monkeypatch):
    monkeypatch.setattr(measure, "revision", lambda: Revision("a" * 40, False))
    expected = "with changes that were not committed: manifests of what is run now say so"
    assert expected in call(made, "--only", "cheap").stderr
    assert call(made, "--only", "cheap").stderr == ""  # complete


def test_a_failed_entry_leaves_the_others_and_docs_results_keeps_what_it_had(made):
    (made.root.parent / "fail-cheap").touch()
    done = call(made, "--without", "data")
    assert (done.exit_code, made.run) == (1, ["cheap", "dear"])
    assert "1 of 2 entries failed, and docs/results/ keeps what it had" in done.stderr
    assert [path.name for path in made.results.glob("*.md")] == ["cheap.md"]
    assert (made.results / "cheap.md").read_text() == "as it was"
    (made.root.parent / "fail-cheap").unlink()
    assert call(made, "--without", "data").exit_code == 0
    assert made.run == ["cheap", "dear", "cheap"]


def test_an_entry_that_does_not_write_its_outputs_fails(made):
    made.entries[:] = [Command("none", "", ("none.md",), ("python -c pass",))]
    done = call(made)
    assert done.exit_code == 1 and "none, which did not write" in done.stderr


DRIVER = """
from pathlib import Path
from docs import measure
from docs.entries import Command
first = Command("first", "", ("a.md",), ("python step.py {out}",))
second = Command("second", "", ("b.md",), ("python -c 'import time; print(1234, flush=True); time.sleep(60)'",))
measure.everything = lambda: [first, second]
measure.RESULTS = Path("results")
measure.main()
"""
ONCE = "import os, sys; os.makedirs(sys.argv[1]); open(os.path.join(sys.argv[1], 'a.md'), 'x')"


def test_an_interrupted_command_names_how_to_go_on(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    (tmp_path / "step.py").write_text(ONCE)  # fails if it is repeated
    for _ in range(2):
        program = subprocess.Popen(
            [sys.executable, "-c", DRIVER, ".", "--out", "out"],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert program.stdout is not None
        while program.stdout.readline() != "1234\n":
            assert program.poll() is None
        time.sleep(0.1)
        os.killpg(program.pid, signal.SIGINT)  # as a terminal does, to the command and to what it runs
        _, stderr = program.communicate(timeout=30)
        assert program.returncode == 130
        assert (
            "failed" not in stderr
            and stderr.splitlines()[-1] == "interrupted; the same command goes on, and what is complete is kept in out"
        )
    assert not (tmp_path / "results").exists()


def test_outputs_replace_those_of_an_earlier_measurement(tmp_path: Path):
    one = Measurement("source", "x", ("table2",))
    source, target = tmp_path / "source", tmp_path / "target" / "source"
    for path in (source / "figures" / "figure4.png", source / "new.md", source / "index.html", target / "old.md"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("content")
    copied = measure.copy(one, tmp_path, tmp_path / "target")
    assert sorted(copied) == [target / "figures" / "figure4.png", target / "new.md"]
    assert sorted(path for path in target.rglob("*") if path.is_file()) == sorted(copied)


def test_results_are_published_with_their_origin(tmp_path, monkeypatch):
    one = Measurement("a/quick-paper", "a", ("made",))
    source = write(tmp_path / "out" / one.folder, result(), git_commit="a" * 40, git_clean=True)
    monkeypatch.setattr(measure.resume, "cost", lambda entry, out: Cost(None, 60.0))
    measure.publish([one], tmp_path / "out", tmp_path / "results")
    target = tmp_path / "results" / one.folder
    assert conditions(target) == conditions(source) and conditions(target).clean is True
    assert {"made.md", "scores.csv", "origin.json"} <= {path.name for path in target.iterdir()}
    assert all(one.owns(f"{one.folder}/{path.relative_to(target)}") for path in target.rglob("*") if path.is_file())
    assert json.loads((tmp_path / "results" / "costs.json").read_text())[one.folder]["other_seconds"] == 60.0


def test_make_asks_for_the_folder_in_one_line():
    done = subprocess.run(["make", "-n", "results"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.endswith("give the folder with the corpora: make results DATA=FOLDER.  Stop.")


@pytest.mark.parametrize("status", [130, -signal.SIGINT])
def test_a_command_that_alone_was_interrupted_interrupts_all(made, monkeypatch, status):
    monkeypatch.setattr(measure, "_run", lambda words: status)
    done = call(made, "--only", "cheap")
    assert done.exit_code == 130 and done.stderr.startswith("interrupted; the same command goes on")


def test_wall_time_is_that_of_commands_that_train_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(measure, "_run", lambda words: 0)
    one = Measurement("a/quick-paper", "a", ("table2",))
    (tmp_path / "a" / "quick-paper").mkdir(parents=True)
    with pytest.raises(measure.Failed, match="correct the key 'folder'"):
        measure.perform(one, tmp_path, tmp_path)
    (tmp_path / "a" / "quick-paper" / "manifest.json").touch()
    assert measure.perform(one, tmp_path, tmp_path) == Cost(None, None)
