"""``replicate runs``: list, show and prune the completed runs of a store."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from replicate.cli import console, options

if TYPE_CHECKING:
    from replicate.store.prune import Removal


@click.group()
def runs() -> None:
    """List, show and prune completed runs; `replicate check store` checks them."""


@runs.command("list")
@options.config_dir
@options.run_store
@click.option("--arm", help="List only runs of this arm.")
@click.option("--corpus", help="List only runs on this corpus.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array, one object per run.")
def list_(where: str, arm: str | None, corpus: str | None, as_json: bool) -> None:
    """Print a line per run.

    F1 is the weighted F1 on dev at the best epoch; test scores are not shown, so that no run is selected by them.
    "version" is "this" for runs of this version of the code and of torch; other runs are not used. The source of a
    plugin is compared with --config-dir only. Only the record of a run is loaded: `replicate check store` hashes all
    files.
    """
    from dataclasses import asdict

    from replicate.escape import json_text
    from replicate.report import runs as report
    from replicate.store import inventory

    store = options.open_runs(where)
    everything = inventory.entries(store)
    found = [run for run in everything if arm in (None, run.arm) and corpus in (None, run.corpus)]
    if as_json:
        console.echo(json_text([asdict(run) for run in found]))
        return
    if not everything:
        console.note(f"no runs in {where}: `replicate run table2` trains some")
        return
    if not found:
        arms, corpora = (sorted({getattr(run, name) for run in everything} - {""}) for name in ("arm", "corpus"))
        console.note(f"no such run in {where}: arms are {', '.join(arms)}; corpora {', '.join(corpora)}")
        return
    _print_columns(report.listing(found), range(1, 6))
    console.suggest("runs", "show", found[0].key, "--store", where)


@runs.command()
@click.argument("key")
@options.config_dir
@options.run_store
@click.option("--json", "as_json", is_flag=True, help="Print the run's record as it was saved.")
def show(key: str, where: str, as_json: bool) -> None:
    """Print settings, learning curve, dev scores and files of the run KEY.

    The beginning of a key is enough if no other run's key begins with it.
    """
    from replicate.errors import UnknownRun
    from replicate.escape import json_text
    from replicate.report import runs as report
    from replicate.store import inventory

    store = options.open_runs(where)
    run = store.get(inventory.find(store, key))
    if run is None:
        raise UnknownRun(f"run {key} was removed from {where} in the meantime: see `replicate runs list`")
    if as_json:
        console.echo(json_text(run.record.as_json()))
        return
    blocks = report.facts(run, store), report.curve(run), report.dev_and_files(run)
    for block, right in zip(blocks, (0, 5, 0), strict=True):
        if block is not blocks[0]:
            console.echo()
        _print_columns(block, range(right))


@runs.command()
@options.config_dir
@options.run_store
@click.option("--damaged", is_flag=True, help="Also remove damaged runs.")
@click.option("--unused", is_flag=True, help="Also remove runs that no table or sweep of the results uses.")
@click.option(
    "--results",
    type=click.Path(path_type=Path),
    help="Where --unused looks for manifest.json and sweep-*.json (default: the folder that the store is in).",
)
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@click.option("--dry-run", is_flag=True, help="List what would be removed, and remove nothing.")
def prune(where: str, damaged: bool, unused: bool, results: Path | None, yes: bool, dry_run: bool) -> None:
    """Remove runs of other versions and files that belong to no run.

    These are: runs of other versions of the code, torch or torch_geometric, teacher embeddings without a run,
    incomplete files of killed processes that are over an hour old, and unused locks. A run that a process has locked is
    kept. The source of a plugin is compared with --config-dir only.
    """
    from tempfile import TemporaryDirectory

    from replicate.experiment.results_folder import named_runs
    from replicate.store import prune as pruning

    # What a dry run downloads is removed with the end of the command.
    cache = Path(click.get_current_context().with_resource(TemporaryDirectory())) if dry_run else None
    store = options.open_runs(where, must_exist=True, cache=cache)
    named = None
    if unused:
        place = results or (options.RUNS.parent if "://" in where else store.root.parent)
        named = named_runs(place)
        if named is None:
            raise click.UsageError(f"no table or sweep in {place}, so every run would be unused: give --results")
        if pruning.locked(store):
            console.note("a process is using this store: runs that no results use are kept")
    removals = pruning.plan(store, damaged, named)
    if not removals:
        console.note(f"nothing to remove in {where}")
        return
    _list(removals)
    if dry_run:
        return
    if not yes and not _terminal():
        raise click.UsageError("nothing was removed: there is no terminal to ask in; --yes removes without asking")
    if not yes and not click.confirm(f"Remove them from {where}?", err=True):
        console.note("nothing was removed")
        return
    kept = [removal for removal in removals if not pruning.remove(store, removal)]
    for removal in kept:
        owner = store.lock_owner(Path(removal.path).stem) or "another process"
        console.note(f"{removal.path} is kept: locked by {owner}")
    console.note(f"removed {_total([removal for removal in removals if removal not in kept])}")


def _terminal() -> bool:
    return sys.stdin.isatty()


def _list(removals: Sequence[Removal]) -> None:
    """Print a line for each removal; locks, which are many and empty, share one."""
    from replicate.report.runs import in_bytes

    lines = [(each.path, in_bytes(each.size), each.why) for each in removals if each.kind != "lock"]
    locks = [each for each in removals if each.kind == "lock"]
    if locks:
        lines.append((f"{len(locks)} files in .locks", in_bytes(sum(each.size for each in locks)), locks[0].why))
    _print_columns(lines, [1])
    console.note(f"in all {_total(removals)}")


def _total(removals: Sequence[Removal]) -> str:
    from replicate.report.runs import in_bytes

    number = sum(each.kind == "run" for each in removals)
    others = console.count(len(removals) - number, "other file")
    return f"{console.count(number, 'run')} and {others}, {in_bytes(sum(each.size for each in removals))}"


def _print_columns(lines: Sequence[Sequence[str]], right: Iterable[int] = ()) -> None:
    from replicate import grids

    for line in grids.columns(lines, right):
        console.echo(line)
