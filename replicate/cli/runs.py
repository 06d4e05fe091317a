"""``replicate runs``: what the run store holds, whether it is sound, and what may go."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from replicate.cli import console

if TYPE_CHECKING:
    from replicate.store.prune import Removal
    from replicate.store.store import Store

# Seconds of silence before `verify` says how far it is.
PATIENCE = 2.0

_store = click.option(
    "--store",
    "folder",
    type=click.Path(path_type=Path),
    default=Path("results/runs"),
    show_default=True,
    help="Folder of the finished runs: runs/ in what `replicate run` has as --out.",
)


def _existing(folder: Path) -> Path:
    """A store that is to be looked through; a mistyped path must not pass as a sound one."""
    if not folder.is_dir():
        raise click.UsageError(f"there is no store at {folder}: give the folder of the runs with --store")
    return folder


@click.group()
def runs() -> None:
    """List, show, verify and prune finished runs."""


@runs.command("list")
@_store
@click.option("--arm", help="Runs of this arm alone.")
@click.option("--corpus", help="Runs on this corpus alone.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array, one object per run.")
def list_(folder: Path, arm: str | None, corpus: str | None, as_json: bool) -> None:
    """Print a line per run.

    F1 is the weighted F1 on dev at the chosen epoch; test is not shown, so that nobody chooses by it. "version" says
    whether this version of the code and of torch trained the run; others are not used. Only a run's record is
    looked at: `replicate runs verify` hashes all files.
    """
    import json
    from dataclasses import asdict

    from replicate.report import runs as report
    from replicate.store import inventory
    from replicate.store.store import Store

    store = Store(folder)
    everything = inventory.entries(store)
    found = [run for run in everything if arm in (None, run.arm) and corpus in (None, run.corpus)]
    if as_json:
        click.echo(json.dumps([asdict(run) for run in found], indent=1, ensure_ascii=False))
        return
    if not everything:
        click.echo(f"no runs in {folder}: `replicate run table2` trains some", err=True)
        return
    if not found:
        arms, corpora = (sorted({getattr(run, name) for run in everything} - {""}) for name in ("arm", "corpus"))
        click.echo(f"no such run in {folder}: arms are {', '.join(arms)}; corpora {', '.join(corpora)}", err=True)
        return
    _print_table(report.listing(found), range(1, 6))
    console.suggest("runs", "show", found[0].key, "--store", folder)


@runs.command()
@click.argument("key")
@_store
@click.option("--json", "as_json", is_flag=True, help="Print the run's record as it is stored.")
def show(key: str, folder: Path, as_json: bool) -> None:
    """Print all that is known of the run KEY.

    The beginning of a key is enough where no other run shares it.
    """
    import json

    from replicate.errors import CorruptRun, UnknownRun
    from replicate.report import runs as report
    from replicate.store import inventory
    from replicate.store.store import Store

    store = Store(folder)
    run = store.get(inventory.find(store, key))
    if run is None:
        raise UnknownRun(f"run {key} has just gone from {folder}")
    if as_json:
        click.echo(json.dumps(run.record, indent=1, ensure_ascii=False))
        return
    try:
        parts = report.facts(run, store), report.curve(run), report.dev_and_files(run)
    except (KeyError, IndexError) as error:
        raise CorruptRun(f"record of {run.folder} lacks {error}: another version wrote it; --json prints it") from error
    for part, right in zip(parts, (0, 5, 0), strict=True):
        if part is not parts[0]:
            click.echo()
        _print_table(part, range(right))


@runs.command()
@click.argument("chosen", nargs=-1, metavar="[KEY]...")
@_store
def verify(chosen: tuple[str, ...], folder: Path) -> None:
    """Hash every file of every run, or of the runs KEY..., and print a line per problem.

    A damaged run is an error. Damaged embeddings of a teacher are none, for they are computed again when they are
    needed; what killed processes left, and folders that are no runs, are only remarked.
    """
    from replicate.errors import DamagedRuns
    from replicate.store import inventory
    from replicate.store.store import Store

    store = Store(_existing(folder))
    keys = list(dict.fromkeys(inventory.find(store, key) for key in chosen)) if chosen else inventory.keys(store)
    damaged = 0
    for key in _watched(keys):
        problem = inventory.damage(store, key)
        if problem is not None:
            damaged += 1
            click.echo(problem)
    embedded = inventory.embedded(store)
    for key in (key for key in embedded if not chosen or key in keys):
        if not store.embeddings_intact(key):
            click.echo(f"embeddings of {key} are damaged: they are computed again when a student needs them")
    for remark in () if chosen else _remarks(store):
        click.echo(remark, err=True)
    if damaged:
        raise DamagedRuns(
            f"{damaged} of {_count(len(keys), 'run')} in {folder} damaged: train them again with --repair, or "
            "remove them with `replicate runs prune --damaged`"
        )
    click.echo(f"{_count(len(keys), 'run')} in {folder}, none damaged", err=True)


@runs.command()
@_store
@click.option("--damaged", is_flag=True, help="Also runs that are damaged.")
@click.option("--unused", is_flag=True, help="Also runs that no table or sweep in the results rests on.")
@click.option(
    "--results",
    type=click.Path(path_type=Path),
    help="Where --unused looks for manifest.json and sweep-*.json (default: the folder that the store is in).",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="List what would go, and remove nothing.")
def prune(folder: Path, damaged: bool, unused: bool, results: Path | None, yes: bool, dry_run: bool) -> None:
    """Remove what is not needed any more.

    That is: runs of other versions of the code, torch or torch_geometric, embeddings without a run, what killed
    processes left over an hour ago, and locks that nobody holds. A run that a process is working on stays.
    """
    from replicate.experiment.manifest import named_runs
    from replicate.store import prune as pruning
    from replicate.store.store import Store

    store = Store(_existing(folder))
    named = None
    if unused:
        place = results or folder.resolve().parent
        named = named_runs(place)
        if named is None:
            raise click.UsageError(f"no table or sweep in {place}, so every run would be unused: give --results")
        if pruning.locked(store):
            click.echo("a process works in this store: runs that no results name stay", err=True)
    going = pruning.plan(store, damaged, named)
    if not going:
        click.echo(f"nothing to remove in {folder}", err=True)
        return
    _list(going)
    if dry_run:
        return
    if not yes and not _terminal():
        raise click.UsageError("nothing was removed: there is no terminal to ask in; --yes removes without asking")
    if not yes and not click.confirm(f"Remove them from {folder}?", err=True):
        click.echo("nothing was removed", err=True)
        return
    kept = [removal for removal in going if not pruning.remove(store, removal)]
    for removal in kept:
        click.echo(f"{removal.path} stays: a process is working on it", err=True)
    gone = [removal for removal in going if removal not in kept]
    click.echo(f"removed {_total(gone)}", err=True)


def _watched(keys: Sequence[str]) -> Iterator[str]:
    """The keys; when they take long, how far one is goes to stderr, ever less often."""
    import time

    began, patience = time.monotonic(), PATIENCE
    for done, key in enumerate(keys):
        if time.monotonic() - began > patience:
            click.echo(f"{done} of {len(keys)} runs verified", err=True)
            patience = 2 * (time.monotonic() - began)
        yield key


def _remarks(store: Store) -> Iterator[str]:
    """What lies in the store and is no run."""
    from replicate.store import inventory

    for key in sorted(set(inventory.embedded(store)) - set(inventory.keys(store))):
        yield f"embeddings of {key} have no run: `replicate runs prune` removes them"
    for path in inventory.partial_files(store):
        yield f"{path} is half written: `replicate runs prune` removes it once it is an hour old"
    for name in inventory.unknown_folders(store):
        yield f"{store.root / name} is no run: it is left alone"


def _terminal() -> bool:
    return sys.stdin.isatty()


def _list(going: Sequence[Removal]) -> None:
    """A line for each thing that may go; locks, which are many and empty, share one."""
    from replicate.report.runs import in_bytes

    lines = [(each.path, in_bytes(each.size), each.why) for each in going if each.kind != "lock"]
    locks = [each for each in going if each.kind == "lock"]
    if locks:
        lines.append((f"{len(locks)} files in .locks", in_bytes(sum(each.size for each in locks)), locks[0].why))
    _print_table(lines, [1])
    click.echo(f"in all {_total(going)}", err=True)


def _total(going: Sequence[Removal]) -> str:
    from replicate.report.runs import in_bytes

    number = sum(each.kind == "run" for each in going)
    others = _count(len(going) - number, "other file")
    return f"{_count(number, 'run')} and {others}, {in_bytes(sum(each.size for each in going))}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + "s" * (number != 1)


def _print_table(lines: Sequence[tuple[str, ...]], right: Iterable[int] = ()) -> None:
    """Columns two spaces apart; nothing is ever cut or broken, whatever the terminal's width."""
    numbers = set(right)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = [
            cell.rjust(w) if i in numbers else cell.ljust(w)
            for i, (cell, w) in enumerate(zip(line, widths, strict=True))
        ]
        click.echo("  ".join(cells).rstrip())
