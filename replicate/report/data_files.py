"""Files for other programs: numbers in full precision as CSV and JSON."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from replicate import escape
from replicate.config.privileged import choice
from replicate.metrics import all_names
from replicate.report import deployments, resources
from replicate.report.sections import shown
from replicate.results.aggregate import Cell, TableResult


def as_csv(header: Sequence[str], lines: Iterable[Sequence[object]]) -> str:
    """Return lines as comma-separated text; None becomes an empty field, and no text is a formula."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerows([*map(escape.csv_cell, each)] for each in (header, *lines))
    return out.getvalue()


def as_json(content: Mapping[str, Any]) -> str:
    """Return an indented JSON object in which letters of all scripts stay readable."""
    return escape.json_text(content) + "\n"


def origin(result: TableResult) -> dict[str, Any]:
    """Return what every JSON file of a results folder says about the origin of its numbers."""
    return {
        "corpus": {
            "name": result.corpus,
            "hash": result.corpus_hash,
            "control": result.control or None,
            "notes": list(result.notes),
        },
        "profile": result.profile,
        "protocol": result.protocol,
        "privileged": choice(result.table.privileged),
        "seeds": list(result.seeds),
        "folds": {"how": result.divided, "names": list(result.folds)} if result.folds else None,
    }


def table_csv(result: TableResult) -> str:
    """Return one line per cell, with the values of the single runs in the last column: seed by seed, fold by fold."""
    header = ["table", "row", "context", "metric", "mean", "std", "n", "ci95_low", "ci95_high"]
    header += ["published", "published_std", "verdict", "corpus", "protocol", "profile", "seeds", "folds", "values"]
    seeds, folds = " ".join(map(str, result.seeds)), " ".join(result.folds)
    where = [result.corpus, result.protocol, result.profile, seeds, folds or None]
    lines = []
    rows = {row.name: shown(result, row) for row in result.table.rows}
    for row, cells in (*rows.items(), *result.baselines.items()):
        for context, cell in cells.items():
            low, high = cell.summary.ci95 or (None, None)
            lines.append(
                [result.table.name, row, context, result.metric]
                + [_number(cell.summary.mean), cell.summary.std, cell.summary.n, low, high]
                + ([cell.published, cell.published_std, cell.verdict] if result.shows_published else [None] * 3)
                + [*where, " ".join(map(repr, cell.values))]
            )
    return as_csv(header, lines)


def table_json(result: TableResult) -> str:
    """Return everything that is known about a table."""
    content = {
        "table": result.table.name,
        "metric": result.metric,
        **origin(result),
        "rows": [
            {
                "row": row.name,
                "cells": _cells(shown(result, row), result),
                **({"needs": list(result.needs[row.name])} if row.name in result.needs else {}),
                **({"failed": result.failed[row.name]} if row.name in result.failed else {}),
                **({"companion": _cells(result.companion[row.name], result)} if row.name in result.companion else {}),
            }
            for row in result.table.rows
        ],
        **(
            {"baselines": [{"row": name, "cells": _cells(each, result)} for name, each in result.baselines.items()]}
            if result.baselines
            else {}
        ),
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
        **({"edges": [asdict(each) for each in result.edges]} if result.edges else {}),
        **({"costs": {name: asdict(cost) for name, cost in result.costs.items()}} if result.costs else {}),
        **({"resources": resources.as_json(result)} if result.resources else {}),
        **({"deployments": deployments.as_json(result)} if result.table.deployments else {}),
    }
    return as_json(content)


def scores_csv(results: Iterable[TableResult]) -> str:
    """Return one line per metric of one run: those of ``replicate.metrics.METRICS``, and F1 of every class."""
    lines: list[list[object]] = []
    for result in results:
        names = all_names(result.labels)
        # A baseline has no seed.
        shown_rows: list[tuple[str, Mapping[str, Cell], Sequence[int | None]]]
        shown_rows = [(row, cells, result.seeds) for row, cells in result.rows.items()]
        shown_rows += [(name, cells, (None,)) for name, cells in result.baselines.items()]
        for row, cells, seeds in shown_rows:
            for context, cell in cells.items():
                scores = np.stack([cell.scores(name) for name in names], -1)
                for seed, by_fold in zip(seeds, scores.tolist(), strict=True):
                    # The field for the fold is empty where there is a single split.
                    for fold, values in zip(result.folds or (None,), by_fold, strict=True):
                        where = [result.table.name, row, context, seed, fold]
                        lines += [[*where, name, value] for name, value in zip(names, values, strict=True)]
    return as_csv(["table", "row", "context", "seed", "fold", "metric", "value"], lines)


def comparisons_csv(results: Iterable[TableResult]) -> str:
    """Return one line per comparison: the difference of two cells ("row/context"), its 95 % interval and p values."""
    lines = []
    for result in results:
        for each in result.comparisons:
            low, high = each.difference.ci95 or (None, None)
            numbers = [each.difference.mean, low, high, each.difference.n, each.p, each.p_holm]
            lines.append([result.table.name, each.first, each.second, *numbers])
    return as_csv(
        ["table", "first", "second", "difference", "ci95_low", "ci95_high", "n", "p", "p_holm"],
        lines,
    )


def _cells(cells: Mapping[str, Cell], result: TableResult) -> dict[str, Any]:
    return {context: _cell(cell, result.shows_published) for context, cell in cells.items()}


def _cell(cell: Cell, shows_published: bool) -> dict[str, Any]:
    return {
        "mean": _number(cell.summary.mean),
        "std": cell.summary.std,
        "n": cell.summary.n,
        "values": list(cell.values),
        "ci95": cell.summary.ci95,
        "by_class": cell.by_class,
        "published": cell.published if shows_published else None,
        "published_std": cell.published_std if shows_published else None,
        "verdict": cell.verdict,
    }


def _number(mean: float) -> float | None:
    """Return a mean, or None for a cell that was not measured, since JSON has no NaN."""
    return None if math.isnan(mean) else mean
