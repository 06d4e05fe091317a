"""`replicate runs prune` removes what it listed, asks first, and never removes what is in use."""

import importlib
import json
import os

import torch
from click.testing import CliRunner

from replicate.store.store import LOCKS, Store
from tests.cli.sizes import in_kb
from tests.planted import damage

# replicate.cli.runs, as an attribute of its package, is the command and not the module.
commands = importlib.import_module("replicate.cli.runs")
ANOTHER = "0123456789abcdef0123"


def manifest(store: Store, *named: str) -> None:
    folder = store.root.parent / "small" / "smoke-paper"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "manifest.json").write_text(json.dumps({"runs": named}))


def test_prune_lists_asks_and_removes(store, keys, monkeypatch):
    damage(store, keys[0])
    shown = f"{keys[0]}  {in_kb(store.root / keys[0])}  damaged\n"
    monkeypatch.setattr(commands, "_terminal", lambda: True)
    arguments = ["prune", "--store", str(store.root), "--damaged"]
    total = f"1 run and 0 other files, {in_kb(store.root / keys[0])}"
    question = f"in all {total}\nRemove them from {store.root}? [y/N]: "
    no = CliRunner().invoke(commands.runs, arguments, input="n\n")
    assert (no.exit_code, no.stdout) == (0, shown)
    assert no.stderr.startswith(question) and no.stderr.endswith("nothing was removed\n")
    assert store.keys() == sorted(keys)
    yes = CliRunner().invoke(commands.runs, arguments, input="y\n")
    assert (yes.exit_code, yes.stdout) == (0, shown)
    assert yes.stderr.startswith(question) and yes.stderr.endswith(f"removed {total}\n")
    assert store.keys() == sorted(keys[1:])


def test_prune_without_a_terminal_needs_yes(replicate, store, keys):
    damage(store, keys[0])
    status, stdout, stderr = replicate("runs", "prune", "--store", store.root, "--damaged")
    assert status == 2 and keys[0] in stdout
    assert "nothing was removed: there is no terminal to ask in; --yes removes without asking" in stderr
    assert sorted(keys) == store.keys()


def test_prune_dry_run_removes_nothing(replicate, store, keys):
    damage(store, keys[0])
    before = sorted(store.root.rglob("*"))
    for extra in ([], ["--yes"]):
        status, stdout, stderr = replicate("runs", "prune", "--store", store.root, "--damaged", "--dry-run", *extra)
        assert status == 0 and stdout.startswith(f"{keys[0]}  ") and stderr.startswith("in all 1 run and 0 other")
    assert sorted(store.root.rglob("*")) == before


def test_prune_removes_other_versions_by_default_and_never_a_locked_run(replicate, store, keys, monkeypatch):
    monkeypatch.setattr(torch, "__version__", "0.0")
    with store.lock(keys[1], wait=False) as ours:
        status, stdout, stderr = replicate("runs", "prune", "--store", store.root, "--yes")
        assert ours and status == 0
    assert [line.split()[0] for line in stdout.splitlines()] == sorted(keys)
    assert all("of another version: torch 2." in line for line in stdout.splitlines())
    assert f"{keys[1]} is kept: locked by process {os.getpid()} on " in stderr
    assert "removed 3 runs and 0 other" in stderr
    assert store.keys() == [keys[1]]


def test_prune_counts_locks_on_one_line(replicate, store, keys):
    for name in (keys[0], keys[1]):
        with store.lock(name, wait=False):
            pass
    status, stdout, stderr = replicate("runs", "prune", "--store", store.root, "--yes")
    assert (status, stdout) == (0, "2 files in .locks  0 B  not held\n")
    assert stderr == "in all 0 runs and 2 other files, 0 B\nremoved 0 runs and 2 other files, 0 B\n"
    assert list((store.root / LOCKS).iterdir()) == []
    assert replicate("runs", "prune", "--store", store.root, "--yes")[2] == f"nothing to remove in {store.root}\n"


def test_prune_unused_keeps_the_runs_of_results(replicate, store, keys):
    manifest(store, keys[0], keys[2])
    with store.lock(ANOTHER, wait=False):
        status, stdout, stderr = replicate("runs", "prune", "--store", store.root, "--unused", "--yes")
        assert (status, stdout) == (0, "")
        assert stderr.startswith("a process is using this store: runs that no results use are kept\n")
    status, _, stderr = replicate("runs", "prune", "--store", store.root, "--unused", "--yes")
    assert status == 0 and stderr.endswith("\n") and "removed 2 runs" in stderr
    assert store.keys() == sorted([keys[0], keys[2]])


def test_prune_unused_without_results_is_refused(replicate, store, keys, tmp_path):
    status, stdout, stderr = replicate("runs", "prune", "--store", store.root, "--unused", "--yes")
    assert (status, stdout) == (2, "") and "every run would be unused: give --results" in stderr
    manifest(store, *keys)
    (tmp_path / "elsewhere").mkdir()
    status, _, _ = replicate(
        "runs", "prune", "--store", store.root, "--unused", "--yes", "--results", tmp_path / "elsewhere"
    )
    assert status == 2 and store.keys() == sorted(keys)
    (store.root.parent / "small" / "smoke-paper" / "manifest.json").write_text("{")
    status, _, stderr = replicate("runs", "prune", "--store", store.root, "--unused", "--yes")
    assert status == 1 and "error (not this format)" in stderr and "manifest.json" in stderr
    assert store.keys() == sorted(keys)


def test_prune_removes_nothing_from_a_folder_that_is_not_a_store(replicate, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "final.tex").write_text("")
    (tmp_path / ".incomplete-notes").write_text("")
    os.utime(tmp_path / "thesis", (0, 0))
    manifest(Store(tmp_path / "runs"))
    arguments = ["--damaged", "--unused", "--results", tmp_path, "--yes"]
    assert replicate("runs", "prune", "--store", tmp_path, *arguments)[0] == 0
    assert (tmp_path / "thesis" / "final.tex").is_file() and (tmp_path / ".incomplete-notes").is_file()
