"""Run the rows of ARTIFACT.md as they are written there: `make artifact` and `make artifact-full`.

Each row ends as expected if all of its commands exit with 0; several of them are checks, which exit with 3. Completed
trainings are kept in results/, so that an interrupted command goes on where it was. With ``--measure``, for an empty
results folder, time and peak memory go to ``artifact.json``. Not in the paper.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import click
import psutil

from docs import artifact
from docs.artifact import CORPORA, Measured, Row
from docs.entries import measurements
from replicate import grids
from replicate.cli import console
from replicate.errors import INTERRUPTED_EXIT_CODE, CheckFailed
from replicate.machine import cores, processor
from replicate.provenance import revision

ROOT = Path(__file__).parents[1]
OUTPUT = Path("results") / "artifact"
# Seconds between two looks at the memory of all processes.
INTERVAL = 0.5
# Of a failed row's output, shown in the terminal.
LAST_LINES = 5


@dataclass(frozen=True)
class Outcome:
    """What came of a row: ``failed`` is the command that failed and its exit code, or why the row was not run."""

    row: Row
    is_run: bool
    failed: str = ""
    seconds: float = 0.0
    memory: int = 0

    @property
    def word(self) -> str:
        """The outcome in the closing table."""
        return "not run" if not self.is_run else "FAILED" if self.failed else "as expected"


def folder_rows() -> list[Row]:
    """Return a row for every folder of docs/results/, for the full path."""
    found = []
    for each in measurements():
        name, claim = f"folder-{each.folder.replace('/', '--')}", f"the tables of {each.folder}"
        found.append(Row(name, "reproduced", claim, artifact.folder_commands(each), "no cell fails"))
    return found


def run(rows: Sequence[Row], environment: Mapping[str, str]) -> list[Outcome]:
    """Run rows one after another, the same commands once, and return the outcomes."""
    found: dict[tuple[str, ...], Outcome] = {}
    outcomes = []
    OUTPUT.mkdir(parents=True, exist_ok=True)
    for number, row in enumerate(rows, 1):
        console.echo(f"\n[{number}/{len(rows)}] {row.name}: {row.claim.replace('*', '')}")
        console.echo(f"  expected: {row.expected.replace('*', '').replace('<br>', '; ')}")
        missing = sorted(name for name in row.variables if not environment.get(name))
        known = found.get(row.commands)
        if missing:
            outcome = Outcome(row, False, f"no corpus {missing[0]}: ARTIFACT.md says what it is")
            console.echo(f"  not run: {outcome.failed}")
        elif known:
            outcome = replace(known, row=row, seconds=0.0)
            console.echo(f"  {outcome.word}: the commands of {known.row.name}")
        else:
            outcome = found[row.commands] = run_row(row, environment)
            minutes, memory = outcome.seconds / 60, outcome.memory / 1e9
            console.echo(f"  {outcome.word}, {minutes:.1f} min, {memory:.1f} GB; output: {_output(row)}")
        outcomes.append(outcome)
    return outcomes


def run_row(row: Row, environment: Mapping[str, str]) -> Outcome:
    """Run the commands of a row up to the first that fails."""
    start = time.monotonic()
    failed = ""
    with _output(row).open("wb") as output, peak_memory() as memory:
        for line in row.commands:
            console.echo(f"  $ {line}")
            output.write(f"$ {line}\n".encode())
            output.flush()
            code = perform(line, output, environment)
            if code:
                failed = f"{line} exited with {code}"
                break
    if failed:
        for each in _output(row).read_text(encoding="utf-8", errors="replace").splitlines()[-LAST_LINES:]:
            console.echo(f"    {each}")
        console.echo(f"  {failed}")
    return Outcome(row, True, failed, time.monotonic() - start, max(memory))


def perform(line: str, output: BinaryIO, environment: Mapping[str, str]) -> int:
    """Run a line of bash and return its exit code; output goes to a file, and status lines to stderr, too."""
    command = ["bash", "-c", line]
    with subprocess.Popen(
        command, stdout=output, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, env=dict(environment)
    ) as process:
        for status in process.stderr or ():
            output.write(status)
            output.flush()
            console.echo("    " + status.decode(errors="replace").rstrip("\n"), err=True)
    return process.returncode


def _output(row: Row) -> Path:
    return OUTPUT / f"{row.name}.txt"


@contextmanager
def peak_memory() -> Iterator[list[int]]:
    """Yield a list whose largest number is the most memory, in bytes, that all child processes took at a time."""
    found, stop = [0], threading.Event()

    def look() -> None:
        while not stop.wait(INTERVAL):
            found[0] = max(found[0], _children_memory())

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        stop.set()
        thread.join()


def _children_memory() -> int:
    """Return the memory of all processes below this one, in bytes, with what they share counted once for each."""
    total = 0
    for process in psutil.Process().children(recursive=True):
        try:
            total += process.memory_info().rss
        except psutil.Error:  # it has ended
            continue
    return total


def environment() -> dict[str, str]:
    """Return the environment of the commands: this one, with the programs of this Python first on the path."""
    found = dict(os.environ)
    found["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), found.get("PATH", "")])
    return found


def find_corpora(rows: Sequence[Row], environment: dict[str, str]) -> None:
    """Give a variable of the environment to each corpus that rows need; others than given are downloaded.

    Raises:
        click.UsageError: a corpus is not where its variable says, or one of the short path cannot be downloaded.
    """
    for name in sorted(set().union(*(row.variables for row in rows))):
        given, published = environment.get(name), CORPORA[name]
        if given and given != published:
            environment[name] = str(Path(given).absolute())
            if not Path(given).exists():
                raise click.UsageError(f"there is no {environment[name]}: give {name}=PATH of the corpus")
        elif published and fetched(published):
            environment[name] = published
        elif any(row.short and name in row.variables for row in rows):
            raise click.UsageError(f"cannot download {published}: give {name}=PATH of the corpus")


def fetched(corpus: str) -> bool:
    """Return whether a published corpus is on this machine, or could be downloaded."""
    command = ["replicate", "data", "fetch", corpus]
    console.echo(f"$ {shlex.join(command)}")
    return subprocess.run([sys.executable, "-m", *command]).returncode == 0


def save(outcomes: Sequence[Outcome]) -> None:
    """Add what the rows took to ``artifact.json``."""
    import torch

    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else ""
    commit = revision().commit or ""
    new = [
        Measured(each.row.commands, round(each.seconds, 1), each.memory, cores(), gpu, processor() or "unknown", commit)
        for each in outcomes
        if each.is_run and not each.failed and each.seconds
    ]
    artifact.save([*artifact.measured(), *new])


def closing(outcomes: Sequence[Outcome]) -> int:
    """Print a line per row and what to do next; return the exit code."""
    lines = [[each.row.name, each.word, f"{each.seconds / 60:.1f}" if each.is_run else "–"] for each in outcomes]
    screen = console.results()
    screen.print(grids.terminal(["row of ARTIFACT.md", "outcome", "minutes"], lines, screen.width, left=2), crop=False)
    failed = [each.row.name for each in outcomes if each.is_run and each.failed]
    skipped = [each.row.name for each in outcomes if not each.is_run]
    total = sum(each.seconds for each in outcomes) / 60
    if skipped:
        console.echo(f"not run, because their corpus is not here: {', '.join(skipped)}")
    if failed:
        console.echo(f"failed: {', '.join(failed)}; outputs: {OUTPUT}; ARTIFACT.md says what to do")
        return CheckFailed.exit_code
    done = console.count(len(outcomes) - len(skipped), "row")
    console.echo(f"as expected: {done} of {len(outcomes)}, in {total:.1f} min; outputs: {OUTPUT}")
    return 0


def choose(rows: Sequence[Row], short: bool, names: Sequence[str]) -> list[Row]:
    """Return all rows, those of the short path, or those with a name and what they need, in the order of all.

    Raises:
        click.UsageError: there is no row of a name.
    """
    unknown = sorted(set(names) - {row.name for row in rows})
    if unknown:
        raise click.UsageError(f"no row {unknown[0]!r}: there are {', '.join(row.name for row in rows)}")
    needed = artifact.with_needs(names, rows)
    return [row for row in rows if (row.short or not short) and (not names or row.name in needed)]


def refuse_to_measure() -> None:
    """Refuse to measure time where runs may be complete already, or under a commit that has changes.

    Raises:
        click.UsageError: for either.
    """
    if Path("results").exists():
        raise click.UsageError("there is a folder results/: measure in a fresh clone, so that everything is trained")
    if not revision().clean:
        raise click.UsageError(
            "no commit says which code this is, or there are changes since: measure in a fresh clone"
        )


@click.command()
@click.option("--short", is_flag=True, help="Run the short path only.")
@click.option(
    "--row", "names", multiple=True, metavar="NAME", help="Run this row, and those that it needs; may be repeated."
)
@click.option("--measure", is_flag=True, help="Write time and memory of each row to docs/artifact.json.")
def main(short: bool, names: tuple[str, ...], measure: bool) -> None:
    """Run the rows of ARTIFACT.md, of the software and of the paper's claims, and then the tables of docs/results/.

    $RAVDESS, $MOSI and $IEMOCAP4 are the files or folders of corpora.
    """
    chosen = choose([*artifact.rows(), *folder_rows()], short, names)
    if measure:
        refuse_to_measure()
    given = environment()
    try:
        find_corpora(chosen, given)
        outcomes = run(chosen, given)
    except KeyboardInterrupt:
        console.echo("interrupted: completed trainings are kept, and the same command goes on", err=True)
        sys.exit(INTERRUPTED_EXIT_CODE)
    if measure:
        save(outcomes)
    sys.exit(closing(outcomes))


if __name__ == "__main__":
    os.chdir(ROOT)
    main()
