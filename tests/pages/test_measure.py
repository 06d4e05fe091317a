"""The list of what docs/results/ holds, and how its outputs are copied there."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from docs import measure
from replicate.config import tables as definitions
from replicate.experiment.prepare import Options, prepare

FOUND = measure.measurements()


@pytest.mark.parametrize("one", FOUND, ids=lambda one: one.folder)
def test_every_measurement_names_tables_and_its_own_folder(one):
    assert set(one.tables) <= set(definitions.table_names())
    assert [other.folder for other in FOUND].count(one.folder) == 1
    assert Path(one.folder).name.startswith(f"{one.profile}-{one.protocol}")
    assert one.out in ("", one.folder.split("/")[0])
    held = {path.stem for path in (measure.DOCS / "results" / one.folder).glob("*.md")} - {"claims"}
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


def test_commands_are_printed_and_may_be_chosen(tmp_path):
    done = CliRunner().invoke(measure.main, [str(tmp_path), "--dry-run", "--only", "--folds session"])
    (line,) = done.stdout.splitlines()
    assert line.startswith("replicate run table2 --data ") and line.endswith(
        "--folds session --seeds 24,25,26 --out results --store results/runs"
    )


def test_a_corpus_below_the_folder_is_given_by_its_path(tmp_path: Path):
    (tmp_path / "mosi").mkdir()
    (first, *_) = (one for one in FOUND if one.data == "mosi")
    assert first.corpus(tmp_path) == str(tmp_path / "mosi") and first.corpus(tmp_path / "mosi") == "mosi"


def test_outputs_replace_those_of_an_earlier_measurement(tmp_path: Path):
    source, target = tmp_path / "source", tmp_path / "target"
    names = ("source/figures/figure4.png", "source/new.md", "source/index.html", "target/old.md")
    for path in map(tmp_path.joinpath, names):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("content")
    copied = measure.copy(source, target)
    assert copied == [target / "figures" / "figure4.png", target / "new.md"]
    assert sorted(path for path in target.rglob("*") if path.is_file()) == sorted(copied)
