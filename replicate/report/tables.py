"""A finished table in the terminal and as files."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table as RichTable

from replicate.files import write_text
from replicate.report import latex, text
from replicate.results.aggregate import Cell, TableResult

SUFFIXES = ("md", "tex", "csv", "json")


def show(result: TableResult, console: Console) -> None:
    """Print the table and its conditions."""
    grid = RichTable(title=text.heading(result), title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    lines = text.body(result)
    for i, (title, *cells) in enumerate(zip(text.header(result), *lines, strict=True)):
        # Titles may break in a narrow terminal, numbers may not.
        grid.add_column(title, justify="left" if i == 0 else "right", min_width=max(map(len, cells)))
    for line in lines:
        grid.add_row(*line)
    console.print(grid, crop=False)
    if result.comparisons:
        console.print(_grid(text.COMPARISON_HEADER, text.comparisons(result), left=2), crop=False)
        console.print(text.comparison_conditions(result), style="dim", highlight=False)
    if result.costs:
        console.print(_grid(text.cost_header(result), text.costs(result), left=1), crop=False)
        console.print(text.COST_CONDITIONS, style="dim", highlight=False)
    for sentence in text.conditions(result):
        console.print(sentence, style="dim", highlight=False)


def _grid(titles: list[str], lines: list[list[str]], left: int) -> RichTable:
    grid = RichTable(box=box.SIMPLE_HEAD)
    for i, (title, *cells) in enumerate(zip(titles, *lines, strict=True)):
        # Names may break in a narrow terminal, numbers may not.
        width = max(map(len, cells)) if i >= left else None
        grid.add_column(title, justify="left" if i < left else "right", min_width=width)
    for line in lines:
        grid.add_row(*line)
    return grid


def write(result: TableResult, folder: Path) -> list[Path]:
    """``table<N>.md``, ``.tex``, ``.csv`` and ``.json`` in ``folder``; returns their paths.

    Raises:
        DiskFull, CannotWrite: naming the file.
    """
    contents = {
        "md": markdown(result),
        "tex": latex.document(result),
        "csv": comma_separated(result),
        "json": as_json(result),
    }
    paths = []
    for suffix, content in contents.items():
        path = folder / f"{result.table.name}.{suffix}"
        write_text(path, content)
        paths.append(path)
    return paths


def markdown(result: TableResult) -> str:
    """The table and its comparisons as GitHub Markdown."""
    lines = [f"**{text.heading(result)}**", "", *markdown_grid(text.header(result), text.body(result)), ""]
    if result.comparisons:
        lines += [*markdown_grid(text.COMPARISON_HEADER, text.comparisons(result), left=2), ""]
        lines.append(f"{text.comparison_conditions(result)}  ")
    if result.costs:
        lines += ["", *markdown_grid(text.cost_header(result), text.costs(result)), "", f"{text.COST_CONDITIONS}  "]
    return "\n".join([*lines, *(f"{line}  " for line in text.conditions(result))]) + "\n"


def markdown_grid(titles: list[str], body: list[list[str]], left: int = 1) -> list[str]:
    """Lines of a Markdown table whose first ``left`` columns are texts and the others numbers."""
    escaped = [[cell.replace("|", r"\|") for cell in line] for line in body]
    rule = "|" + "---|" * left + "---:|" * (len(titles) - left)
    return [f"| {' | '.join(titles)} |", rule, *(f"| {' | '.join(line)} |" for line in escaped)]


def comma_separated(result: TableResult) -> str:
    """One line per cell, full precision, values of the single seeds in a column of their own."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(
        ["table", "row", "context", "mean", "std", "n", "ci95_low", "ci95_high", "published", "published_std"]
        + ["verdict"]
        + ["corpus", "protocol", "profile", "seeds", "values"]
    )
    where = [result.corpus, result.protocol, result.profile, " ".join(map(str, result.seeds))]
    for row in result.table.rows:
        for context, cell in text.shown(result, row).items():
            low, high = cell.summary.ci95 or (None, None)
            spread = [_number(cell.summary.mean), cell.summary.std, cell.summary.n, low, high]
            writer.writerow(
                [result.table.name, row.name, context, *spread, cell.published, cell.published_std, cell.verdict]
                + where
                + [" ".join(map(repr, cell.values))]
            )
    return out.getvalue()


def as_json(result: TableResult) -> str:
    """The stable form that other programs read."""
    content = {
        "table": result.table.name,
        "corpus": {"name": result.corpus, "hash": result.corpus_hash, "notes": list(result.notes)},
        "profile": result.profile,
        "protocol": result.protocol,
        "seeds": list(result.seeds),
        "rows": [
            {
                "row": row.name,
                "cells": _cells(text.shown(result, row)),
                **({"needs": list(result.needs[row.name])} if row.name in result.needs else {}),
                **({"beside": _cells(result.beside[row.name])} if row.name in result.beside else {}),
            }
            for row in result.table.rows
        ],
        "comparisons": [
            {
                "first": each.first,
                "second": each.second,
                "difference": each.difference.mean,
                "ci95": each.difference.ci95,
                "n": each.difference.n,
                "p": each.p,
                "p_holm": each.p_holm,
            }
            for each in result.comparisons
        ],
        **({"costs": {name: asdict(cost) for name, cost in result.costs.items()}} if result.costs else {}),
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _cells(cells: Mapping[str, Cell]) -> dict[str, Any]:
    return {context: _cell(cell) for context, cell in cells.items()}


def _cell(cell: Cell) -> dict[str, Any]:
    return {
        "mean": _number(cell.summary.mean),
        "std": cell.summary.std,
        "n": cell.summary.n,
        "values": list(cell.values),
        "ci95": cell.summary.ci95,
        "by_class": cell.by_class,
        "published": cell.published,
        "published_std": cell.published_std,
        "verdict": cell.verdict,
    }


def _number(mean: float) -> float | None:
    """What was not measured is nothing, not NaN."""
    return None if math.isnan(mean) else mean
