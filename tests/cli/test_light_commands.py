"""Commands that train nothing do without torch and torch_geometric, which take seconds to import."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from replicate.cli import cli
from tests.export import tiny_bundle

# What none of them may import. A command that needs a part of scipy or scikit-learn imports that part.
HEAVY = ("torch", "torch_geometric", "matplotlib", "sklearn", "transformers", "onnx", "ray")
# Arguments, and the exit code: the corpus has no names to match by, and no claim is reproduced. They run in the folder
# ``place``; KEY is a run of its store.
COMMANDS = {
    "runs list": 0,
    "runs list --json --arm speech": 0,
    "runs show KEY": 0,
    "runs prune --dry-run": 0,
    "runs prune --unused --yes": 0,
    "runs verify": 0,
    "check store": 0,
    "check store KEY": 0,
    "check claims results": 3,
    "check bundle bundle": 3,
    "data list": 0,
    "data info synthetic-tiny": 0,
    "data convert synthetic-tiny tiny.npz": 0,
    "data merge tiny.npz tiny.npz --stream visual --as face --out more.npz": 1,
    "data fetch no-such-corpus": 1,
    "no-such-command": 2,
}
# Runs commands one after another, and prints each one's exit code and the heavy modules that are imported after it.
SCRIPT = """
import contextlib, json, os, sys
from replicate.cli import main
heavy, found = set(json.loads(sys.argv[1])), []
for arguments in json.loads(sys.argv[2]):
    with contextlib.redirect_stdout(sys.stderr):
        try:
            main(arguments)
        except SystemExit as exit_:
            code = exit_.code
    found.append((code, sorted(heavy & {*sys.modules})))
print(json.dumps(found))
"""


@pytest.fixture
def place(store, keys) -> Path:
    """A folder with results of a claim that is not reproduced, and a store."""
    claim = {"number": 1, "text": "one is above the other", "outcome": "undecided"}
    (store.root.parent / "claims.json").write_text(json.dumps({"claims": [claim]}))
    (store.root.parent / "manifest.json").write_text(json.dumps({"runs": keys}))
    bundle = tiny_bundle.write(store.root.parents[1] / "bundle", lambda model: model.graph.node.pop())
    shutil.copytree(store.root / keys[0], bundle / "run" / keys[0])
    tiny_bundle.list_files(bundle)
    store.root.parent.rename(store.root.parents[1] / "results")
    return store.root.parents[1]


def leaves(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words of every command."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from leaves(command, (*path, name))
        else:
            yield (*path, name)


def run(folder: Path, *commands: list[str], heavy: tuple[str, ...] = HEAVY) -> list[tuple[int, list[str]]]:
    """The exit code of each command, and the heavy modules that are imported after it."""
    arguments = [json.dumps(each) for each in (heavy, commands)]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *arguments], cwd=folder, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return [(code, found) for code, found in json.loads(done.stdout)]


def test_commands_that_train_nothing_import_no_torch(place, keys):
    commands = [[keys[0] if word == "KEY" else word for word in line.split()] for line in COMMANDS]
    assert dict(zip(COMMANDS, run(place, *commands), strict=True)) == {line: (c, []) for line, c in COMMANDS.items()}


@pytest.fixture
def trained(smoke_out, tmp_path) -> Path:
    """A folder with a complete smoke table, below ``results``."""
    shutil.copytree(smoke_out, tmp_path / "results")
    return tmp_path


@pytest.mark.slow
def test_dry_runs_import_no_torch(trained):
    kinds = ["run all", "run table2 --protocol released --privileged none", "run table2 --engine ray"]
    kinds += ["sweep COGMEN-Mask", "sweep Student-DMD", "sweep recipe"]
    commands = [f"{kind} --profile smoke --dry-run".split() for kind in kinds]
    assert run(trained, *commands) == [(0, [])] * len(commands)


@pytest.mark.slow
def test_a_report_imports_no_torch(trained):
    # It draws figures, and fits baselines.
    assert run(trained, ["report"], heavy=("torch", "torch_geometric")) == [(0, [])]
    assert run(trained, ["report", "--ro-crate"]) == [(0, [])]


def test_help_of_every_command_imports_no_torch(tmp_path):
    commands = [[*words, "--help"] for words in leaves(cli)]
    assert len(commands) > 20
    assert run(tmp_path, *commands) == [(0, [])] * len(commands)


def test_features_without_an_encoder_import_no_torch(tmp_path, folder):
    pytest.importorskip("opensmile")
    (code, found) = run(tmp_path, ["features", "opensmile", str(folder), "--out", "out.npz"])[0]
    assert code == 0 and "torch" not in found


def test_an_imported_module_is_noticed(tmp_path):
    assert run(tmp_path, ["--version"], ["data", "list"], heavy=("rich", "torch")) == [(0, []), (0, ["rich"])]
