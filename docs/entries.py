"""The entries of ``measured.toml``: which commands make the files of docs/results/, from which files."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from replicate.config import tables as definitions
from replicate.config.toml import build, sections
from replicate.corpus import is_here, named_corpora
from replicate.expected.conditions import ORIGIN
from replicate.results.deployments import DEPLOYMENTS

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

DOCS = Path(__file__).parent
RESULTS = DOCS / "results"
FILE = DOCS / "measured.toml"
# Durations of what is no training, see ``docs.costs``.
COSTS = "costs.json"
# What is made of the other files, and so belongs to no entry.
DERIVED = (COSTS, "expected/*.json", "*/SHA256SUMS")
# What is copied of a results folder: tables and claims to be read, and the numbers behind them.
KEPT = (
    *("*.md", "claims.json", "scores.csv", "comparisons.csv", DEPLOYMENTS),
    *("figures/figure*.png", "figures/deploy.png", "figures/gap.png"),
    *("figures/chosen-teachers.png", "figures/imperfect-teachers.png"),
)
_PLACE = re.compile(r"\{(data|out|results)\}")


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

    @property
    def name(self) -> str:
        """What it is called in the list of ``make results``."""
        return self.folder

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

    def commands(self, folder: Path, out: Path) -> list[list[str]]:
        """Return all commands, with corpora below ``folder`` and results below ``out``."""
        found = [[*self.command(folder), "--out", str(out / self.out), "--store", str(out / "runs")]]
        if self.timed:
            found.append(["replicate", "bench-inference", "--results", str(out / self.folder)])
        return found

    def missing(self, folder: Path) -> str | None:
        """Return the first file below ``folder`` that is needed and not there; None if all are there."""
        corpus = named_corpora().get(self.data)
        if corpus is None:
            return None if (folder / self.data).exists() else self.data
        if not corpus.files or is_here(self.data, folder / self.data):
            return None
        if not (folder / self.data).exists() and is_here(self.data):
            return None
        return next(
            f"{self.data}/{file.local}" for file in corpus.files if not (folder / self.data / file.local).is_file()
        )

    def inputs(self, folder: Path) -> list[Path]:
        """Return the files and folders below ``folder`` that its commands read."""
        return [folder / self.data] if (folder / self.data).exists() else []

    def outputs(self, out: Path) -> dict[Path, str]:
        """Return the files that are copied, each with its path below docs/results/."""
        source = out / self.folder
        found = [file for pattern in KEPT for file in sorted(source.glob(pattern))]
        return {file: f"{self.folder}/{file.relative_to(source).as_posix()}" for file in found}

    def owns(self, path: str) -> bool:
        """Return whether it makes a file, given by its path below docs/results/."""
        folder, _, name = path.removeprefix(f"{self.folder}/").rpartition("/")
        inside = path.startswith(f"{self.folder}/")
        return inside and any(
            pattern.rpartition("/")[0] == folder and fnmatch(name, pattern.rpartition("/")[2])
            for pattern in (*KEPT, ORIGIN)
        )

    @property
    def timed(self) -> bool:
        """Whether a table shows numbers that ``replicate bench-inference`` measures."""
        found = map(definitions.table, self.tables)
        return any(table.resources or table.deployments for table in found)


@dataclass(frozen=True)
class Command:
    """Other commands whose outputs are in docs/results/.

    Attributes:
        folder: where the outputs are copied to, below docs/results/; empty for that folder itself.
        makes: the outputs, below ``{out}``.
        steps: commands, run in this order. ``{data}`` stands for the folder with the corpora, ``{out}`` for a folder of
            this entry's own below the results folder of all, and ``{results}`` for that folder.
        needs: files below ``{data}``.
        seeds: over how many seeds the means with a deviation are, in the tables that it makes.
        labels: how many of their first columns name a line.
        times: whether their numbers are times, which no second run repeats.
    """

    name: str
    folder: str
    makes: tuple[str, ...]
    steps: tuple[str, ...]
    needs: tuple[str, ...] = ()
    seeds: int = 0
    labels: int = 1
    times: bool = False

    def own(self, out: Path) -> Path:
        """Return the folder that it writes into."""
        return out / "commands" / self.name

    def commands(self, folder: Path, out: Path) -> list[list[str]]:
        """Return all commands, with corpora below ``folder`` and results below ``out``."""
        names = {"data": folder, "out": self.own(out), "results": out}
        return [[_PLACE.sub(lambda m: str(names[m[1]]), word) for word in shlex.split(step)] for step in self.steps]

    def missing(self, folder: Path) -> str | None:
        """Return the first file below ``folder`` that is needed and not there; None if all are there."""
        return next((name for name in self.needs if not (folder / name).exists()), None)

    def inputs(self, folder: Path) -> list[Path]:
        """Return the files and folders below ``folder`` that its commands read."""
        return [folder / name for name in self.needs]

    def outputs(self, out: Path) -> dict[Path, str]:
        """Return the files that are copied, each with its path below docs/results/."""
        return {self.own(out) / name: str(Path(self.folder, Path(name).name).as_posix()) for name in self.makes}

    def owns(self, path: str) -> bool:
        """Return whether it makes a file, given by its path below docs/results/."""
        return path in self.outputs(Path()).values()


Entry = Measurement | Command


def measurements() -> list[Measurement]:
    """Return the ``replicate run`` entries of ``measured.toml``, in the order of the README's columns."""
    entries = sections(_content().get("runs"), f"{FILE}, runs")
    return [build(Measurement, entry, f"{FILE}, entry {number}") for number, entry in enumerate(entries, 1)]


def commands() -> list[Command]:
    """Return the other entries of ``measured.toml``."""
    entries = sections(_content().get("commands"), f"{FILE}, commands")
    return [build(Command, entry, f"{FILE}, command {number}") for number, entry in enumerate(entries, 1)]


def everything() -> Sequence[Entry]:
    """Return all entries."""
    return [*measurements(), *commands()]


def _content() -> dict[str, object]:
    return tomllib.loads(FILE.read_text(encoding="utf-8"))
