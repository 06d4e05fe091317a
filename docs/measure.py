"""Train what docs/results/ holds, and copy the outputs there: `make results DATA=FOLDER`.

``measured.toml`` lists the commands. Each can be interrupted and repeated: completed runs are kept.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import click

from replicate.config import tables as definitions
from replicate.config.toml import build, sections
from replicate.results.deployments import DEPLOYMENTS

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

DOCS = Path(__file__).parent
FILE = DOCS / "measured.toml"
# What is copied: tables and claims to be read, and the numbers behind them.
KEPT = (
    *("*.md", "claims.json", "scores.csv", "comparisons.csv", DEPLOYMENTS),
    *("figures/figure*.png", "figures/deploy.png", "figures/gap.png"),
    *("figures/chosen-teachers.png", "figures/imperfect-teachers.png"),
)


@dataclass(frozen=True)
class Measurement:
    """One ``replicate run`` whose outputs are in docs/results/; without a value, an option keeps its default.

    Attributes:
        folder: below docs/results/, and below the results folder of all commands.
        title: heading of its column in the README's table of claims; empty for none.
        out: where the command writes, below the results folder of all. Entries that differ in their seeds alone
            would remove each other's tables in one folder.
    """

    folder: str
    data: str
    tables: tuple[str, ...]
    title: str = ""
    profile: str = "quick"
    protocol: str = "paper"
    privileged: str | None = None
    folds: str | None = None
    seeds: str | None = None
    out: str = ""

    def corpus(self, folder: Path) -> str:
        """Return the corpus below ``folder`` if it is there, else its name."""
        return str(folder / self.data) if (folder / self.data).exists() else self.data

    def command(self, folder: Path) -> list[str]:
        """Return the command that trains and prints the tables."""
        words = ["replicate", "run", *self.tables, "--data", self.corpus(folder)]
        for name in ("profile", "protocol", "privileged", "folds", "seeds"):
            value = getattr(self, name)
            words += [] if value is None else [f"--{name}", value]
        return words

    @property
    def timed(self) -> bool:
        """Whether a table shows numbers that ``replicate bench-inference`` measures."""
        found = map(definitions.table, self.tables)
        return any(table.resources or table.deployments for table in found)


def measurements() -> list[Measurement]:
    """Return the entries of ``measured.toml``."""
    entries = sections(tomllib.loads(FILE.read_text(encoding="utf-8")).get("runs"), f"{FILE}, runs")
    return [build(Measurement, entry, f"{FILE}, entry {number}") for number, entry in enumerate(entries, 1)]


def copy(source: Path, target: Path) -> list[Path]:
    """Replace what ``target`` keeps of a results folder by its current outputs; return the files."""
    for pattern in KEPT:
        for old in target.glob(pattern):
            old.unlink()
    copied = []
    for file in sorted(file for pattern in KEPT for file in source.glob(pattern)):
        copied.append(target / file.relative_to(source))
        copied[-1].parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copied[-1])
    return copied


def _run(command: list[str]) -> None:
    if subprocess.run([sys.executable, "-m", *command]).returncode:
        sys.exit(f"this command failed, and docs/results/ keeps what it had: {shlex.join(command)}")


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--out", type=click.Path(path_type=Path), default=Path("results"), show_default=True)
@click.option("--only", multiple=True, metavar="TEXT", help="Only commands that contain this text; may be repeated.")
@click.option("--dry-run", is_flag=True, help="Print the commands, and train nothing.")
def main(folder: Path, out: Path, only: tuple[str, ...], dry_run: bool) -> None:
    """Train what docs/results/ holds from the corpora in FOLDER, and copy the outputs there."""
    from docs import expected, origins  # which import this module

    for measurement in measurements():
        command = [*measurement.command(folder), "--out", str(out / measurement.out), "--store", str(out / "runs")]
        line = shlex.join(command)
        if only and not any(text in line for text in only):
            continue
        print(line, flush=True)
        if dry_run:
            continue
        _run(command)
        source = out / measurement.folder
        if not (source / "manifest.json").is_file():
            sys.exit(f"the command wrote no {source}: correct the key 'folder' of this entry in {FILE}")
        if measurement.timed:
            _run(["replicate", "bench-inference", "--results", str(source)])
        copied = copy(source, DOCS / "results" / measurement.folder)
        origins.save(source, DOCS / "results" / measurement.folder)
        print(f"{len(copied)} files copied from {source}", flush=True)
    if not dry_run:
        expected.write(DOCS / "results" / "expected")


if __name__ == "__main__":
    main()
