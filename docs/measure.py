"""Make docs/results/ and all generated blocks anew: `make results DATA=FOLDER`.

``measured.toml`` lists the entries, and ``docs.costs`` gives their order: the cheapest first, by what was measured.
Interrupted at any time, the same command goes on: completed runs are in the store, and an entry that is complete is not
repeated (``docs.resume`` says when). docs/results/ and pages are written at the end, when all entries are complete:
otherwise the outputs of one entry would be changes that were not committed in the manifests of the next ones.
"""

from __future__ import annotations

import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import click
from rich import box
from rich.table import Table

from docs import costs, resume
from docs.entries import KEPT, RESULTS, Entry, Measurement, everything
from replicate.cli import console
from replicate.errors import INTERRUPTED_EXIT_CODE
from replicate.expected.conditions import LIBRARIES
from replicate.experiment.manifest import installed_versions
from replicate.files import probe
from replicate.machine import cores, processor
from replicate.provenance import in_words, revision

COMPLETE = "complete"


def count(number: int) -> str:
    """Return a number of entries in words."""
    return f"{number} {'entry' if number == 1 else 'entries'}"


class Failed(Exception):
    """A command failed."""


def chosen(entries: Sequence[Entry], only: Sequence[str], without: Sequence[str]) -> list[Entry]:
    """Return the entries whose name or commands contain a text of ``only``, and none of ``without``."""

    def has(entry: Entry, texts: Sequence[str]) -> bool:
        lines = [entry.name, *map(shlex.join, entry.commands(Path("DATA"), Path("RESULTS")))]
        return any(text in line for text in texts for line in lines)

    return [entry for entry in entries if (not only or has(entry, only)) and not has(entry, without)]


def require_files(entries: Sequence[Entry], folder: Path) -> None:
    """Refuse entries whose files are not there, before anything is run.

    Raises:
        click.ClickException: naming every missing file.
    """
    found: dict[str, list[str]] = {}
    for entry in entries:
        missing = entry.missing(folder)
        if missing is not None:
            found.setdefault(str(folder / missing), []).append(entry.name)
    if found:
        files = "; ".join(
            f"{file}, for {names[0]}" + (f" and {len(names) - 1} more" if names[1:] else "")
            for file, names in found.items()
        )
        raise click.ClickException(f"missing: {files}: add them, or choose other entries with --only and --without")


def print_list(entries: Sequence[Entry], states: Sequence[str], results: Path) -> None:
    """Print what will be run, with the hours that each entry took when ``results`` was made, and their sum."""
    table = Table(box=box.SIMPLE)
    for title, where in zip((*costs.TITLES, "state"), ("left", "right", "left"), strict=True):
        table.add_column(title, justify=where, no_wrap=True)  # type: ignore[arg-type]
    for entry, state in zip(entries, states, strict=True):
        table.add_row(entry.name, costs.measured(entry, results).words, state)
    console.results().print(table)
    click.echo(f"{costs.summary(entries, results)}; {states.count(COMPLETE)} of {count(len(entries))} complete")


def state(entry: Entry, folder: Path, out: Path) -> str:
    """Return whether an entry is complete, or what is missing, in words."""
    missing = entry.missing(folder)
    return f"needs {missing}" if missing is not None else resume.why_not(entry, folder, out) or COMPLETE


def perform(entry: Entry, folder: Path, out: Path) -> costs.Cost:
    """Run the commands of an entry, and return what it took.

    Raises:
        Failed: one of them failed.
    """
    other = None
    for words in entry.commands(folder, out):
        click.echo(shlex.join(words))
        start = time.perf_counter()
        status = _run([sys.executable, *(["-m", *words] if words[0] == "replicate" else words[1:])])
        if status in (INTERRUPTED_EXIT_CODE, -signal.SIGINT):
            raise KeyboardInterrupt
        if status:
            raise Failed(shlex.join(words))
        if not costs.trains(words):
            other = (other or 0.0) + time.perf_counter() - start
    missing = [str(file) for file in entry.outputs(out) if not file.is_file()]
    if isinstance(entry, Measurement) and not (out / entry.folder / "manifest.json").is_file():
        missing.append(f"{out / entry.folder}; correct the key 'folder' of this entry")
    if missing:
        raise Failed(f"{entry.name}, which did not write {missing[0]}")
    return costs.of_run(entry, out, other)


def _run(words: Sequence[str]) -> int:
    """Run a program; when interrupted, wait until it has ended, since it was interrupted as well."""
    with subprocess.Popen(words) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:
            process.wait()
            raise


def copy(entry: Entry, out: Path, results: Path) -> list[Path]:
    """Replace what ``results`` has of an entry by its current outputs; return the files."""
    if isinstance(entry, Measurement):
        for old in [file for pattern in KEPT for file in (results / entry.folder).glob(pattern)]:
            old.unlink()
    copied = []
    for file, path in entry.outputs(out).items():
        copied.append(results / path)
        copied[-1].parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copied[-1])
    return copied


def publish(entries: Sequence[Entry], out: Path, results: Path) -> None:
    """Copy the outputs of complete entries into ``results``, with their origins and costs."""
    from docs import origins

    here = installed_versions()
    machine = {
        "processor": processor(),
        "cores": cores(),
        "commit": revision().commit or "",
        "versions": {name: here[name] for name in LIBRARIES},
    }
    for entry in entries:
        copied = copy(entry, out, results)
        if isinstance(entry, Measurement):
            copied.append(origins.save(out / entry.folder, results / entry.folder))
        click.echo(f"{len(copied)} files copied of {entry.name}")
    costs.save({entry.name: resume.cost(entry, out) for entry in entries}, machine, results)


def write_derived() -> None:
    """Write what is made of docs/results/: expected results, blocks of pages, and the page of commands."""
    from docs import expected, fill_readme, generate_commands

    expected.write(RESULTS / "expected")
    expected.write_checksums()
    fill_readme.write()
    generate_commands.write()


def run(entries: Sequence[Entry], folder: Path, out: Path) -> None:
    """Run entries; one that fails does not keep the others from being run.

    Raises:
        click.ClickException: some failed.
    """
    failed = []
    for entry in entries:
        under = resume.Conditions.of(entry, folder)
        try:
            resume.write(entry, out, under, perform(entry, folder, out))
        except Failed as error:
            failed.append(str(error))
            click.echo(f"failed: {error}", err=True)
    if failed:
        raise click.ClickException(
            f"{len(failed)} of {count(len(entries))} failed, and docs/results/ keeps what it had; the same command "
            f"goes on with what failed, first: {failed[0]}"
        )


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--out", type=click.Path(path_type=Path), default=Path("results"), show_default=True)
@click.option("--only", multiple=True, metavar="TEXT", help="Only entries with TEXT in name or commands.")
@click.option("--without", multiple=True, metavar="TEXT", help="Leave entries with TEXT out.")
@click.option("--dry-run", is_flag=True, help="Print the list of entries with their hours, and run nothing.")
def main(folder: Path, out: Path, only: tuple[str, ...], without: tuple[str, ...], dry_run: bool) -> None:
    """Make docs/results/ and all generated blocks anew from the corpora in FOLDER."""
    try:
        make(folder, out, only, without, dry_run)
    except KeyboardInterrupt:
        click.echo(f"interrupted; the same command goes on, and what is complete is kept in {out}", err=True)
        sys.exit(INTERRUPTED_EXIT_CODE)


def make(folder: Path, out: Path, only: Sequence[str], without: Sequence[str], dry_run: bool) -> None:
    """Print the list of the chosen entries, run what is not complete, and write docs/results/ and what it gives."""
    entries = costs.in_order(chosen(everything(), only, without), RESULTS)
    print_list(entries, [state(entry, folder, out) for entry in entries], RESULTS)
    if dry_run:
        return
    require_files(entries, folder)
    probe(out)
    todo = [entry for entry in entries if resume.why_not(entry, folder, out) is not None]
    commit, clean = revision()
    if todo and clean is False:
        click.echo(f"note: {in_words(commit, clean)}: manifests of what is run now say so; commit first", err=True)
    run(todo, folder, out)
    publish(entries, out, RESULTS)
    write_derived()


if __name__ == "__main__":
    main()
