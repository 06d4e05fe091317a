"""The list of what docs/results/ holds: every file has one entry, and every entry names what there is."""

from __future__ import annotations

import re
import shlex
from fnmatch import fnmatch
from pathlib import Path

import pytest

from docs import entries
from docs.entries import DERIVED, RESULTS, Command, Measurement
from replicate.cli import cli
from replicate.config import tables as definitions
from replicate.experiment.prepare import Options, prepare

from .conftest import ROOT, committed

FOUND, COMMANDS = entries.measurements(), entries.commands()


def test_every_committed_file_is_made_by_exactly_one_entry():
    for path in committed("docs/results"):
        name = path.removeprefix("docs/results/")
        makers = [entry.name for entry in entries.everything() if entry.owns(name)]
        makers += [pattern for pattern in DERIVED if fnmatch(name, pattern)]
        assert len(makers) == 1, f"{path}: made by {makers or 'no entry of measured.toml'}"


@pytest.mark.parametrize(
    ("path", "owned"),
    [
        ("a/quick/table2.md", True),
        ("a/quick/origin.json", True),
        ("a/quick/figures/figure4.png", True),
        ("a/quick/figures/other.png", False),
        ("a/quick/below/table2.md", False),
        ("a/quick-2/table2.md", False),
        ("x/a/quick/table2.md", False),
        ("a/quick/manifest.json", False),
    ],
)
def test_an_entry_owns_what_it_copies(path, owned):
    assert Measurement("a/quick", "a", ("table2",)).owns(path) == owned


def test_names_are_given_once():
    names = [entry.name for entry in entries.everything()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("one", FOUND, ids=lambda one: one.folder)
def test_every_measurement_names_tables_and_its_own_folder(one):
    assert set(one.tables) <= set(definitions.table_names())
    assert [other.folder for other in FOUND].count(one.folder) == 1
    assert Path(one.folder).name.startswith(f"{one.profile}-{one.protocol}")
    assert one.out in ("", one.folder.split("/")[0])
    held = {path.stem for path in (RESULTS / one.folder).glob("*.md")} - {"claims"}
    assert held == set(one.tables)


def test_entries_with_other_seeds_do_not_write_into_the_same_folder():
    by_folder: dict[tuple[str, ...], set[str | None]] = {}
    for one in FOUND:
        key = (one.data, one.profile, one.protocol, one.privileged or "", one.folds or "", one.out)
        by_folder.setdefault(key, set()).add(one.seeds)
    assert all(len(seeds) == 1 for seeds in by_folder.values())


@pytest.mark.parametrize("one", [one for one in FOUND if one.data.startswith("synthetic")], ids=lambda one: one.folder)
def test_its_folder_is_the_one_that_the_command_writes(one, tmp_path):
    options = Options(one.profile, one.protocol, one.seeds, one.data, out=tmp_path)
    plan, context = prepare(one.tables, options)
    assert context.folder(plan) == tmp_path / one.folder


def test_a_corpus_below_the_folder_is_given_by_its_path(tmp_path: Path):
    (tmp_path / "mosi").mkdir()
    (first, *_) = (one for one in FOUND if one.data == "mosi")
    assert first.corpus(tmp_path) == str(tmp_path / "mosi") and first.corpus(tmp_path / "mosi") == "mosi"


def test_what_is_missing_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("REPLICATE_DATA", str(tmp_path / "none"))
    file, folder, generated = (Measurement("f", data, ("table2",)) for data in ("a/b.npz", "mosi", "synthetic-small"))
    assert (file.missing(tmp_path), generated.missing(tmp_path)) == ("a/b.npz", None)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.npz").touch()
    assert file.missing(tmp_path) is None
    assert folder.missing(tmp_path).startswith("mosi/")
    command = Command("c", "", ("c.md",), ("python x",), needs=("a/b.npz", "a/c.npz"))
    assert command.missing(tmp_path) == "a/c.npz"


def test_places_in_commands_are_filled():
    one = Command("c", "x", ("d/c.md",), ('python x "a b={data}/y" {out}/d {results}/runs',))
    assert one.commands(Path("D"), Path("R")) == [["python", "x", "a b=D/y", "R/commands/c/d", "R/runs"]]
    assert one.outputs(Path("R")) == {Path("R/commands/c/d/c.md"): "x/c.md"}


def known_options(words: list[str]) -> set[str]:
    """The options of the command that the words name."""
    command, rest = cli, words[1:]
    while hasattr(command, "commands"):
        command, rest = command.commands[rest[0]], rest[1:]
    return {name for option in command.params for name in (*option.opts, *option.secondary_opts)}


@pytest.mark.parametrize("one", COMMANDS, ids=lambda one: one.name)
def test_commands_exist_and_write_what_is_copied(one):
    for words in one.commands(Path("DATA"), Path("RESULTS")):
        if words[0] == "replicate":
            assert {word for word in words if word.startswith("--")} <= known_options(words)
        else:
            assert words[:2] == ["python", "-m"] and (ROOT / f"{words[2].replace('.', '/')}.py").is_file()
    for path in one.outputs(Path("RESULTS")).values():
        assert (RESULTS / path).is_file()


@pytest.mark.parametrize("one", COMMANDS, ids=lambda one: one.name)
def test_every_file_that_a_command_names_is_needed(one):
    named = {name for step in one.steps for name in re.findall(r"\{data\}/(\S+)", step)}
    assert named <= set(one.needs)
    assert bool(one.needs) == any("{data}" in shlex.join(shlex.split(step)) for step in one.steps)
