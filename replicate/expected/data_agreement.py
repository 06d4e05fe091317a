"""Whether the CSV and the JSON file of a table hold the numbers of ``scores.csv`` and ``comparisons.csv``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from replicate import escape
from replicate.errors import NotThisFormat, ReplicateError
from replicate.expected.conditions import Conditions
from replicate.expected.findings import Finding
from replicate.expected.lines import CellName, Score, Scores, file_of, number, read_csv
from replicate.metrics import BY_CLASS
from replicate.records import convert, read_json
from replicate.results.statistics import summarise

_CSV = (
    *("table", "row", "context", "metric", "mean", "std", "n", "ci95_low", "ci95_high", "published", "published_std"),
    *("corpus", "seeds", "values"),
)
# A mean is computed from the same numbers in the same way, up to the order of its sum.
_EXACT = 1e-12


@dataclass(frozen=True)
class _Cell:
    mean: float | None
    std: float | None
    n: int
    values: tuple[float, ...]
    ci95: tuple[float, float] | None
    by_class: tuple[tuple[float, ...], ...] = ()
    published: float | None = None
    published_std: float | None = None


@dataclass(frozen=True)
class _Row:
    row: str
    cells: dict[str, _Cell]
    companion: dict[str, _Cell] = field(default_factory=dict)


@dataclass(frozen=True)
class _Comparison:
    first: str
    second: str
    difference: float | None
    ci95: tuple[float, float] | None
    n: int
    p: float | None
    p_holm: float | None


@dataclass(frozen=True)
class _Corpus:
    hash: str


@dataclass(frozen=True)
class _Table:
    corpus: _Corpus
    metric: str
    seeds: tuple[int, ...]
    rows: tuple[_Row, ...]
    comparisons: tuple[_Comparison, ...]
    baselines: tuple[_Row, ...] = ()


def of_table(
    folder: Path, table: str, scores: Scores, compared: Sequence[Mapping[str, str]], own: Conditions
) -> Iterator[Finding]:
    """Yield a failure for every number of ``TABLE.csv`` and ``TABLE.json`` that is another one elsewhere.

    Args:
        own: the conditions in the folder's manifest.

    Raises:
        NotThisFormat: a file cannot be read.
    """
    known: dict[tuple[str, str], _Cell] = {}
    path = file_of(folder, table, ".json")
    if path:
        content = _json(path)
        for row in (*content.rows, *content.baselines):
            known |= {(escape.csv_cell(row.row), context): cell for context, cell in row.cells.items()}
        failures = [*_json_origin(path.name, content, own), *_json_cells(path.name, table, content, scores, own.metric)]
        failures += _companions(folder, path.name, table, content)
        yield from _or_ok(path.name, [*failures, *_json_comparisons(path.name, table, content, compared)])
    path = file_of(folder, table, ".csv")
    if path:
        yield from _or_ok(path.name, _csv_failures(path, scores, known, own))


def companion(table: str) -> tuple[str, str] | None:
    """Return the table and the title of the companion columns of a table, if it is a known one that has some."""
    from replicate.config import tables as definitions

    try:
        found = definitions.table(table).companion
    except ReplicateError:
        return None
    return None if found is None else (found.table, found.title)


def _or_ok(name: str, failures: Iterable[Finding]) -> Iterator[Finding]:
    found = list(failures)
    yield from found or [Finding("files", name, "OK", "agreement")]


def _failure(cell: str, expected: object, found: object, where: str = "scores.csv") -> Finding:
    return Finding("files", cell, "FAIL", "agreement", f"{expected} ({where})", str(found))


def _json(path: Path) -> _Table:
    try:
        return convert(read_json(path), _Table)
    except (OSError, ValueError) as error:
        raise NotThisFormat(f"cannot read {path} ({error}): write it again with `replicate report`") from error


def _csv_failures(
    path: Path, scores: Scores, cells: Mapping[tuple[str, str], _Cell], own: Conditions
) -> Iterator[Finding]:
    seeds = " ".join(map(str, own.seeds))
    for line in read_csv(path, _CSV):
        where = f"{path.name}, {line['row']}/{line['context']}"
        known = scores.get(CellName(line["table"], line["row"], line["context"]), {}).get(line["metric"], [])
        values = " ".join(each.value for each in known)
        if line["values"] != values:
            yield _failure(f"{where}, values", values or "nothing", line["values"])
        elif known:
            yield from _summary(where, known, number(line["mean"]), line["std"], line["n"])
        for column, wanted in {"corpus": escape.csv_cell(own.corpus), "seeds": seeds}.items():
            if line[column] != wanted:
                yield _failure(f"{where}, {column}", wanted, line[column], "manifest")
        other = cells.get((line["row"], line["context"]))
        low, high = (other and other.ci95) or (None, None)
        numbers = {} if other is None else {"mean": other.mean, "std": other.std, "n": other.n}
        if other is not None:
            numbers |= {"ci95_low": low, "ci95_high": high}
            numbers |= {"published": other.published, "published_std": other.published_std}
        for column, value in numbers.items():
            if (number(line[column]) if line[column] else None) != value:
                yield _failure(f"{where}, {column}", value, line[column], f"{path.stem}.json")


def _summary(where: str, known: Sequence[Score], mean: float, std: str, n: str) -> Iterator[Finding]:
    wanted = summarise([number(each.value) for each in known])
    if not abs(mean - wanted.mean) <= _EXACT:
        yield _failure(f"{where}, mean", wanted.mean, mean)
    is_same = not std if wanted.std is None else abs(number(std) - wanted.std) <= _EXACT
    if not is_same:
        yield _failure(f"{where}, std", wanted.std, std)
    if n != str(wanted.n):
        yield _failure(f"{where}, n", wanted.n, n)


def _json_origin(name: str, content: _Table, own: Conditions) -> Iterator[Finding]:
    if content.corpus.hash != own.corpus_hash:
        yield _failure(f"{name}, hash of the corpus", own.corpus_hash, content.corpus.hash, "manifest")
    if content.metric != own.metric:
        yield _failure(f"{name}, metric", own.metric, content.metric, "the first table")
    if content.seeds != own.seeds:
        yield _failure(f"{name}, seeds", [*own.seeds], [*content.seeds], "manifest")


def _json_cells(name: str, table: str, content: _Table, scores: Scores, metric: str) -> Iterator[Finding]:
    other = companion(table)
    for row in (*content.rows, *content.baselines):
        for context, cell in row.cells.items():
            known = scores.get(CellName(table, escape.csv_cell(row.row), context), {})
            yield from _json_cell(f"{name}, {row.row}/{context}", cell, known, metric)
        for context, cell in row.companion.items():
            known = scores.get(CellName(other[0], escape.csv_cell(row.row), context), {}) if other else {}
            if known:
                yield from _json_cell(f"{name}, {row.row}/{context}, companion", cell, known, metric)


def _companions(folder: Path, name: str, table: str, content: _Table) -> Iterator[Finding]:
    """Compare the companion cells with those of their own table, if the folder has it."""
    other = companion(table)
    path = file_of(folder, other[0], ".json") if other else None
    cells = {row.row: row.cells for row in _json(path).rows} if path else {}
    for row in content.rows:
        for context, cell in row.companion.items():
            own = cells.get(row.row, {}).get(context, cell)
            for column, value in vars(own).items():
                if getattr(cell, column) != value:
                    where = f"{name}, {row.row}/{context}, companion, {column}"
                    yield _failure(where, value, getattr(cell, column), path.name if path else "")


def _json_cell(where: str, cell: _Cell, known: Mapping[str, list[Score]], metric: str) -> Iterator[Finding]:
    wanted = [number(each.value) for each in known.get(metric, [])]
    if [*cell.values] != wanted:
        yield _failure(f"{where}, values", wanted, [*cell.values])
    elif wanted and cell.mean is not None:
        std = "" if cell.std is None else repr(cell.std)
        yield from _summary(where, known[metric], cell.mean, std, str(cell.n))
    classes = [values for each, values in known.items() if each.startswith(BY_CLASS)]
    by_run = [*zip(*([number(each.value) for each in values] for values in classes), strict=False)]
    if by_run != [*cell.by_class]:
        yield _failure(f"{where}, by_class", by_run, [*cell.by_class])


def _json_comparisons(
    name: str, table: str, content: _Table, compared: Sequence[Mapping[str, str]]
) -> Iterator[Finding]:
    wanted = [line for line in compared if line["table"] == table]
    if len(wanted) != len(content.comparisons):
        count = len(content.comparisons)
        yield _failure(f"{name}, comparisons", len(wanted), count, "comparisons.csv")
        return
    for line, found in zip(wanted, content.comparisons, strict=True):
        low, high = found.ci95 or (None, None)
        numbers = {"difference": found.difference, "ci95_low": low, "ci95_high": high, "n": found.n}
        for column, text in {"first": found.first, "second": found.second}.items():
            if line[column] != escape.csv_cell(text):
                yield _failure(f"{name}, comparisons, {column}", line[column], text, "comparisons.csv")
        for column, value in (numbers | {"p": found.p, "p_holm": found.p_holm}).items():
            if (number(line[column]) if line[column] else None) != value:
                where = f"{name}, {found.first} - {found.second}, {column}"
                yield _failure(where, line[column], value, "comparisons.csv")
