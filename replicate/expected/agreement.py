"""Whether the files of a results folder agree with each other: what is read in one is the number of another."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

from replicate import escape
from replicate.expected import claim_agreement, data_agreement, printed, rendered
from replicate.expected.conditions import Conditions
from replicate.expected.findings import Finding
from replicate.expected.lines import (
    COMPARISONS,
    CellName,
    Score,
    Scores,
    file_of,
    number,
    read_csv,
    read_scores,
    text_of,
)
from replicate.expected.make import difference
from replicate.report import latex
from replicate.report.tables import STYLED
from replicate.report.text import p_value
from replicate.results.statistics import summarise

# Sums in another order differ in their last digits.
_EXACT = 1e-9
Lines = Sequence[dict[str, str]]


def agreement(folder: Path, own: Conditions) -> Iterator[Finding]:
    """Yield a failure for every number that another file of the folder contradicts, and OK for every file without one.

    Args:
        own: the conditions in the folder's manifest.

    Raises:
        NotThisFormat: a file cannot be read.
    """
    path = folder / "scores.csv"
    scores = read_scores(path) if path.exists() else {}
    compared = read_csv(folder / "comparisons.csv", COMPARISONS) if (folder / "comparisons.csv").exists() else []
    tables = dict.fromkeys((*own.tables, *(cell.table for cell in scores)))
    if path.exists():
        yield from _of_file("scores.csv", chain(_seeds(scores, own.seeds), _tables(scores, own.tables)))
    yield from _of_file("comparisons.csv", _differences(compared, scores, own.metric))
    for name in tables:
        page = file_of(folder, name, ".md")
        if page is None:
            continue
        found = printed.markdown(text_of(page))
        yield from _of_file(page.name, _markdown(name, found, scores, compared, own.metric))
        data = file_of(folder, name, ".json")
        yield from rendered.of_table(data, found) if data else ()
        yield from _written_alike(folder, name, found)
        yield from data_agreement.of_table(folder, name, scores, compared, own)
    if (folder / "claims.json").exists():
        yield from _of_file("claims.json", claim_agreement.with_scores(folder, scores, own))
        if (folder / "claims.md").exists():
            found = printed.markdown(text_of(folder / "claims.md"))
            yield from _of_file("claims.md", claim_agreement.with_page(folder, found))
            # In the page, title and outcome of a claim are no columns.
            yield from _html(folder, "claims", [line[2:] for grid in found.grids for line in grid.lines])


def _of_file(name: str, failures: Iterable[Finding]) -> Iterator[Finding]:
    """Yield the failures of a file, or that it agrees with the others."""
    found = list(failures)
    yield from found or [Finding("files", name, "OK", "agreement")]


def failure(cell: str, expected: str, found: str) -> Finding:
    """Return the finding for a number that another file contradicts."""
    return Finding("files", cell, "FAIL", "agreement", expected, found)


def _seeds(scores: Scores, seeds: Sequence[int]) -> Iterator[Finding]:
    """Compare the seeds of all scores with those of the manifest; baselines have none."""
    listed = " ".join(map(str, seeds))
    for cell, metrics in scores.items():
        for metric, values in metrics.items():
            found = " ".join(dict.fromkeys(each.seed for each in values))
            if found not in ("", listed):
                yield failure(f"scores.csv, {cell.table}/{cell.short}, {metric}, seeds", f"{listed} (manifest)", found)


def _tables(scores: Scores, tables: Sequence[str]) -> Iterator[Finding]:
    """Look for scores of tables that the manifest does not name; of one without a measured row, there are none."""
    found = dict.fromkeys(cell.table for cell in scores)
    if not {*found} <= {*tables}:
        yield failure("scores.csv, tables", f"{' '.join(tables)} (manifest)", " ".join(found))


def _differences(compared: Lines, scores: Scores, metric: str) -> Iterator[Finding]:
    for line in compared:
        mean, _, _ = difference(line["first"], line["second"], line["table"], scores, metric)
        found = number(line["difference"])
        if mean == mean and not abs(found - mean) <= _EXACT:
            where = f"comparisons.csv, {line['table']}: {line['first']} - {line['second']}, difference"
            yield failure(where, f"{mean!r} (scores.csv)", line["difference"])


def _markdown(table: str, page: printed.Printed, scores: Scores, compared: Lines, metric: str) -> Iterator[Finding]:
    """Compare the printed scores and differences with the numbers behind them."""
    for grid in page.grids:
        if grid.titles[:2] == ("model", "n"):
            yield from _scores(table, grid, scores, metric)
        elif grid.titles[:2] == ("first", "second"):
            yield from _printed_differences(table, grid, [line for line in compared if line["table"] == table])


def _scores(table: str, grid: printed.PrintedGrid, scores: Scores, metric: str) -> Iterator[Finding]:
    places = _columns(table, grid.titles)
    for line in grid.lines:
        row = escape.csv_cell(line[0])
        for column, (of, context) in places.items():
            values = scores.get(CellName(of, row, context), {}).get(metric, [])
            where = f"{table}.md, line {line[0]}, column {grid.titles[column]}"
            if values and of != table and not values[0].seed:
                continue  # companion columns have no baselines
            if values and (wanted := _score_text(values)) != line[column]:
                yield failure(where, f"{wanted} (scores.csv)", line[column])
            elif not values and of == table and printed.mean_of(line[column]):
                yield failure(where, "nothing (scores.csv)", line[column])
            runs = {(each.seed, each.fold) for each in values}
            if of == table and values and values[0].seed and line[1] != str(len(runs)):
                yield failure(f"{table}.md, line {line[0]}, column n", f"{len(runs)} (scores.csv)", line[1])


def _columns(table: str, titles: Sequence[str]) -> dict[int, tuple[str, str]]:
    """Return of which table and context the columns with measured scores are, by their number."""
    found = {}
    for i, title in enumerate(titles):
        context, inference, _ = title.partition(" inference")
        if inference:
            found[i] = (table, context)
    companion = data_agreement.companion(table)
    for i, title in enumerate(titles):
        context, _, other = title.partition(", ")
        if companion and other == companion[1]:
            found[i] = (companion[0], context)
    return found


def _score_text(values: Sequence[Score]) -> str:
    numbers = [number(each.value) for each in values]
    found = summarise(numbers)
    if len(numbers) == 1 and not values[0].seed:
        return f"{found.mean:.3f}"
    return printed.as_printed(found.mean, found.std)


def _printed_differences(table: str, grid: printed.PrintedGrid, compared: Lines) -> Iterator[Finding]:
    if len(grid.titles) != 5:
        yield failure(f"{table}.md, columns of the comparisons", "5", str(len(grid.titles)))
        return
    known = {(line["first"], line["second"]): line for line in compared}
    for line in grid.lines:
        numbers = known.get((escape.csv_cell(line[0]), escape.csv_cell(line[1])))
        wanted = ("nothing",) * 3 if numbers is None else _difference_texts(numbers)
        for column, text in enumerate(wanted, 2):
            if line[column] != text:
                where = f"{table}.md, line {line[0]} - {line[1]}, column {grid.titles[column]}"
                yield failure(where, f"{text} (comparisons.csv)", line[column])
    if len(grid.lines) != len(compared):
        yield failure(f"{table}.md, comparisons", f"{len(compared)} (comparisons.csv)", str(len(grid.lines)))


def _difference_texts(line: dict[str, str]) -> tuple[str, str, str]:
    interval = f" [{number(line['ci95_low']):+.3f}, {number(line['ci95_high']):+.3f}]" if line["ci95_low"] else ""
    p, holm = (p_value(number(line[name]) if line[name] else None) for name in ("p", "p_holm"))
    return f"{number(line['difference']):+.3f}{interval}", p, holm


def _written_alike(folder: Path, table: str, page: printed.Printed) -> Iterator[Finding]:
    """Compare the Markdown file of a table with its LaTeX files, and with the page in HTML."""
    lines = [*chain.from_iterable(grid.lines for grid in page.grids)]
    for suffix, own in ((".tex", lines), (".tabular.tex", page.grids[0].lines if page.grids else ())):
        path = file_of(folder, table, suffix)
        if path:
            yield from _of_file(path.name, _tex(path, table, own, page, whole=suffix == ".tex"))
    for suffix in STYLED.values():
        path = file_of(folder, table, f".{suffix}")
        if path and page.grids:
            yield from _of_file(path.name, _styled(path, table, page.grids[0].lines))
    yield from _html(folder, table, lines)


def _styled(path: Path, table: str, lines: Sequence[tuple[str, ...]]) -> Iterator[Finding]:
    """Compare the numbers in the lines of a fragment for papers, which are laid out in another way."""
    found = [line.split(" & ") for line in text_of(path).splitlines() if " & " in line][1:]
    wanted = [[*line] for line in lines]
    if len(found) != len(wanted):
        yield failure(f"{path.name}, number of lines", f"{len(wanted)} ({table}.md)", str(len(found)))
        return
    for line, others in zip(wanted, found, strict=True):
        # The fonts lack letters of some names, which have numbers in their place.
        name = "".join(line[:1])
        first = 1 if any(map(latex.lacks, name)) else 0
        numbers, printed_numbers = _numbers(line[first:]), _numbers(others[first:])
        if numbers != printed_numbers:
            yield failure(f"{path.name}, line {name}", f"{' '.join(numbers)} ({table}.md)", " ".join(printed_numbers))


def _numbers(cells: Sequence[str]) -> list[str]:
    words = re.sub(r"\\phantom\{[^}]*\}| \(1 seed\)", "", " & ".join(cells))
    return re.findall(r"\d+(?:\.\d+)?", words)


def _html(folder: Path, page: str, lines: Sequence[tuple[str, ...]]) -> Iterator[Finding]:
    """Yield a failure for every line of a Markdown file's tables that no table of the HTML page has."""
    path = folder / "index.html"
    if path.is_file():
        rows = set(printed.html_rows(text_of(path)))
        absent = {"".join(line[:1]): " | ".join(line) for line in lines if line not in rows}
        name = f"index.html, {page}"
        wanted = [(f"{name}, line {line}", f"{text} ({page}.md)") for line, text in absent.items()]
        yield from _of_file(name, [failure(where, text, "no such line") for where, text in wanted])


def _tex(
    path: Path, table: str, lines: Sequence[tuple[str, ...]], page: printed.Printed, whole: bool
) -> Iterator[Finding]:
    """Compare a LaTeX file with the Markdown file: a whole document with its notes, or scores alone."""
    text = text_of(path)
    found = printed.tex_rows(text)
    if len(found) != len(lines):
        yield failure(f"{path.name}, number of lines", f"{len(lines)} ({table}.md)", str(len(found)))
        return
    for line, other in zip(lines, found, strict=True):
        wanted = latex.plain_line(line)
        if wanted is not None and wanted != other:
            yield failure(f"{path.name}, line {''.join(line[:1])}", f"{wanted} ({table}.md)", other)
    measured = [note for note in page.notes if note.startswith("Measured on ")]
    for comment in (*(note.removeprefix("**").removesuffix("**") for note in page.notes[:1]), *measured):
        if not whole and f"% {comment}\n" not in text:
            yield failure(f"{path.name}, comment", f"{comment} ({table}.md)", "no such comment")
    for note in page.notes[1:] if whole else ():  # the first is the title, in bold
        sentence = latex.plain_sentence(note)
        if sentence is not None and sentence not in text:
            yield failure(f"{path.name}, notes", f"{sentence} ({table}.md)", "no such sentence")
