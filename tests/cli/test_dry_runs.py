"""A dry run writes nothing: not in the current folder, not at HOME, and not at the address of a store."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from replicate.cli import cli
from tests.cli.test_light_commands import leaves

# What each command with --dry-run is called with, besides that option and --store.
ARGUMENTS = {
    ("run",): ["table2", "--profile", "smoke"],
    ("sweep",): ["COGMEN-Mask", "--profile", "smoke"],
    ("runs", "prune"): [],
}


def command(words: tuple[str, ...]) -> click.Command:
    found: click.Command = cli
    for word in words:
        assert isinstance(found, click.Group)
        found = found.commands[word]
    return found


def inside(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_every_command_with_a_dry_run_is_tested():
    having = {words for words in leaves(cli) if any("--dry-run" in each.opts for each in command(words).params)}
    assert having == ARGUMENTS.keys()


@pytest.mark.parametrize("store", ["", "runs", "file://{}/there", "memory://there"])
@pytest.mark.slow
def test_a_dry_run_in_an_empty_folder_leaves_it_empty(tmp_path, store):
    how = ["--store", store.format(tmp_path)] if store else []
    lines = [[*words, *arguments, *how, "--dry-run"] for words, arguments in ARGUMENTS.items()]
    lines.append(["sweep", "recipe", "--profile", "smoke", *how, "--dry-run"])
    lines.append(["run", "table2", "--profile", "smoke", "--task", "1/3", "--repair", *how, "--dry-run"])
    script = """
import json, sys
from replicate.cli import main
for line in json.loads(sys.argv[1]):
    try:
        main(line)
    except SystemExit as exit_:
        print(exit_.code, *line, file=sys.stderr)
"""
    import json

    environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-B", "-c", script, json.dumps(lines)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "Traceback" not in done.stderr and done.stderr.count("\n0 run table2") == 2, done.stderr
    assert inside(tmp_path) == []


def test_a_dry_run_downloads_nothing_that_stays(replicate, smoke_out, tmp_path, monkeypatch):
    there = tmp_path / "there"
    shutil.copytree(smoke_out / "runs", there)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    before = inside(tmp_path)
    done = replicate("run", "table2", "--profile", "smoke", "--store", f"file://{there}", "--dry-run")
    assert done.status == 0 and "12 runs, 12 completed, 0 to train" in done.stderr
    done = replicate("runs", "prune", "--store", f"file://{there}", "--dry-run", "--damaged")
    assert done.status == 0 and "downloaded 12 runs" in done.stderr
    assert inside(tmp_path) == before
