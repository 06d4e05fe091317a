"""ARTIFACT.md's tables: what is claimed, which commands show it, how long they take, and what must come out.

Rows about the software are in ``artifact.toml``. Rows about the paper's claims are made from ``tables/claims.toml`` and
the measured outcomes in docs/results/, and rows about its folders from ``measured.toml``. Not in the paper.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from docs import claims_by_corpus, costs
from docs.entries import Measurement, measurements
from replicate import grids
from replicate.config import claims
from replicate.config.toml import build, known, sections
from replicate.expected.conditions import conditions
from replicate.files import write_text
from replicate.records import FINITE, check_format, check_names, check_range, convert, read_json

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

DOCS = Path(__file__).parent
ROWS, TIMES = DOCS / "artifact.toml", DOCS / "artifact.json"
BADGES = ("functional", "reusable", "reproduced")
FORMAT = 1
# Variables of the shell for a corpus's file or folder, and the name of the corpus where `replicate data fetch` has it.
CORPORA = {"RAVDESS": "ravdess4", "MOSI": "mosi", "IEMOCAP4": ""}
# Folders of docs/results/ that claims are shown on. RAVDESS can be downloaded: every actor is tested for claims of the
# short path, else it has its own split. The control is for claims without real data.
EVERY_ACTOR, OWN_SPLIT, CONTROL = (
    "ravdess4/paper-paper-folds-speaker",
    "ravdess4/paper-paper",
    "synthetic-small/control-paper",
)
SHORT = {"table2"}


@dataclass(frozen=True)
class Row:
    """A claim and the commands that show it.

    Attributes:
        commands: lines for bash. expected: what must come out, as Markdown.
        needs: names of earlier rows whose results it uses. short: whether it is in the short path.
    """

    name: str
    badge: str
    claim: str
    commands: tuple[str, ...]
    expected: str
    needs: tuple[str, ...] = ()
    short: bool = False

    def __post_init__(self) -> None:
        known(self.badge, BADGES, self.name, "badge")

    @property
    def variables(self) -> set[str]:
        """The variables that name the corpora of its commands."""
        return {name for name in CORPORA if any(f'"${name}"' in line for line in self.commands)}


@dataclass(frozen=True)
class Measured:
    """What the commands of a row took.

    Attributes:
        seconds: of all commands, where the rows that it needs had been run. memory: peak of all processes, in bytes.
        gpu: its name, empty if none was used. commit: of the repository, with nothing changed.
    """

    commands: tuple[str, ...]
    seconds: float
    memory: int
    cores: int
    gpu: str
    processor: str
    commit: str

    def __post_init__(self) -> None:
        check_names(self, "commands", "gpu", "processor", "commit")
        check_range(self, 0, FINITE, "seconds", "memory", "cores")

    @property
    def machine(self) -> str:
        """The machine, as in a heading."""
        name = self.gpu or self.processor.replace("(R)", "").removesuffix(" Processor")
        return f"{self.cores} cores, {name}"


@dataclass(frozen=True)
class _File:
    format: int
    measured: tuple[Measured, ...]


def rows() -> list[Row]:
    """Return all rows in the order in which they are run."""
    entries = sections(tomllib.loads(ROWS.read_text(encoding="utf-8")).get("rows"), f"{ROWS}, rows")
    found = [build(Row, entry, f"{ROWS}, entry {number}") for number, entry in enumerate(entries, 1)]
    return [*found, *claim_rows()]


def claim_rows() -> list[Row]:
    """Return a row for each claim of the paper: its outcome on RAVDESS, or on the control where that has none."""
    found: list[Row] = []
    by_folder = {each.folder: each for each in measurements()}
    for claim in claims.load()[1]:
        is_short = claim.tables <= SHORT
        folder = EVERY_ACTOR if is_short else OWN_SPLIT
        expected, needs = _outcome(folder, claim.number), ()
        if expected.endswith("measured"):
            folder, needs = CONTROL, ("control",)
            expected = f"on real features {expected}; on the control: {_outcome(folder, claim.number)}"
        commands = folder_commands(replace(by_folder[folder], tables=tuple(sorted(claim.tables))))
        trained = [row for row in found if row.commands[-1] == commands[-1]]
        first = [next((row.name for row in trained if table in _tables(row)), "") for table in sorted(claim.tables)]
        text = f"**{claim.number}.** {claim.text}"
        found.append(
            Row(
                f"claim-{claim.number}",
                "reproduced",
                text,
                commands,
                expected,
                (*needs, *filter(None, first)),
                is_short,
            )
        )
    return found


def _tables(row: Row) -> set[str]:
    """Return the tables that a claim's row trains."""
    return {word for word in row.commands[0].split() if word.startswith("table")}


def _outcome(folder: str, number: int) -> str:
    """Return the outcome of a claim in a folder of docs/results/."""
    content = json.loads((DOCS / "results" / folder / "claims.json").read_text(encoding="utf-8"))
    return {claim["number"]: claims_by_corpus.outcome(claim) for claim in content["claims"]}[number]


def folder_commands(measurement: Measurement) -> tuple[str, ...]:
    """Return the commands that make a folder of docs/results/ again, in results/, and the one that compares it."""
    lines = []
    for words in measurement.commands(Path(), Path("results")):
        words = ["$" + _variable(word) if _variable(word) else word for word in words]
        line = " ".join(f'"{word}"' if word.startswith("$") else shlex.quote(word) for word in words)
        lines.append(line.removesuffix(" --out results --store results/runs"))
    return *lines, f"replicate check results results/{shlex.quote(measurement.folder)}"


def _variable(word: str) -> str:
    """Return the variable for a corpus of ``measured.toml``, empty for any other word of a command."""
    corpora = {each.data for each in measurements() if not each.data.startswith("synthetic")}
    return next((name for name in CORPORA if name.lower() in word), "") if word in corpora else ""


def with_needs(names: Iterable[str], known_rows: Sequence[Row]) -> set[str]:
    """Return names of rows, with those of all rows that they need, and that these need."""
    found = set(names)
    for row in reversed(known_rows):
        found |= set(row.needs) if row.name in found else set()
    return found


def measured(path: Path = TIMES) -> list[Measured]:
    """Return what rows took, from ``artifact.json``."""
    content = read_json(path)
    check_format(content, FORMAT, path)
    return [*convert(content, _File).measured]


def save(found: Iterable[Measured], path: Path = TIMES) -> None:
    """Write measurements, of which a later one replaces one of the same commands on the same kind of machine."""
    latest = {(each.commands, each.machine): each for each in found}
    lines = ",\n".join("  " + json.dumps(asdict(each), ensure_ascii=False) for each in latest.values())
    write_text(path, f'{{"format": {FORMAT}, "measured": [\n{lines}\n]}}\n')


def table(badge: str) -> str:
    """Return the rows of one badge as a Markdown table, with time and memory on every kind of machine measured."""
    known_rows, times = rows(), measured()
    machines = sorted({(each.cores, each.machine) for each in times})
    titles = ["claim", "commands", *(machine for _, machine in machines)]
    lines = []
    for row in known_rows:
        if row.badge == badge:
            cells = [row.claim, "<br>".join(f"`{line}`" for line in row.commands)]
            for _, machine in machines:
                cells.append(_costs(row, known_rows, [each for each in times if each.machine == machine]))
            lines.append([*cells, row.expected])
    return "\n".join(grids.marked_up([*titles, "expected outcome"], lines, left=len(titles) + 1)) + "\n"


def _costs(row: Row, known_rows: Sequence[Row], times: Sequence[Measured]) -> str:
    """Return minutes and memory of a row with those that it needs, each set of commands once."""
    names = with_needs({row.name}, known_rows)
    lines = {one.commands for one in known_rows if one.name in names}
    found = [each for each in times if each.commands in lines]
    if {each.commands for each in found} != lines:
        return "–"
    minutes, memory = sum(each.seconds for each in found) / 60, max(each.memory for each in found) / 1e9
    return f"{minutes:.1f} min, {memory:.1f} GB"


def folders() -> str:
    """Return the folders of docs/results/ as a Markdown table: the commands, the hours and the outcomes."""
    lines = []
    for each in measurements():
        commands = "<br>".join(f"`{line}`" for line in folder_commands(each))
        link = f"[{each.folder}](docs/results/{each.folder})"
        lines.append([link, commands, costs.measured(each).words, _commit(each), summary(each)])
    titles = ["folder", "commands", costs.TITLES[1], "at commit", "outcomes of claims"]
    return "\n".join(grids.marked_up(titles, lines, left=len(titles))) + "\n"


def _commit(measurement: Measurement) -> str:
    """Return the commit that a folder of docs/results/ was made at."""
    return (conditions(DOCS / "results" / measurement.folder).commit or "not recorded")[:12]


def summary(measurement: Measurement) -> str:
    """Return which claims have which outcome in a folder, as in ``contradicted: 3, 8; undecided: 4``."""
    path = DOCS / "results" / measurement.folder / "claims.json"
    if not path.is_file():
        return "–"
    by_outcome: dict[str, list[str]] = {}
    for claim in json.loads(path.read_text(encoding="utf-8"))["claims"]:
        if claim["outcome"]:
            by_outcome.setdefault(claim["outcome"], []).append(str(claim["number"]))
    return "<br>".join(f"{outcome}: {', '.join(numbers)}" for outcome, numbers in sorted(by_outcome.items()))


def machines() -> str:
    """Return on which machines rows were measured, and on which kinds none was, as Markdown."""
    times = measured()
    missing = [] if any(each.cores == 8 for each in times) else ["eight cores"]
    missing += [] if any(each.gpu for each in times) else ["a GPU"]
    found = [f"Measured on {each}." for each in sorted({each.machine for each in times})]
    found += [f"Not measured on {' and '.join(missing)}: nothing of the kind was at hand."] if missing else []
    return "\n".join(found) + "\n"
