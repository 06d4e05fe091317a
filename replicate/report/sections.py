"""The sections of one table's report: measured and published scores, differences, training costs.

This is the one place that decides which columns, lines and notes a table has. Terminal, Markdown, LaTeX and HTML only
lay them out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from replicate.config.privileged import paper_context
from replicate.config.profiles import SMOKE, smoke_note
from replicate.config.tables import Row
from replicate.corpus.folds import describe
from replicate.metrics import DEFAULT, title
from replicate.report import deployments, edges, resources, text
from replicate.report.types import Column, Grid, Section
from replicate.results.aggregate import Cell, Cost, TableResult
from replicate.results.estimate import Estimate


def sections(result: TableResult) -> list[Section]:
    """Return the scores, then the differences, DMD's edge weights and the training costs of tables that have them."""
    found = [Section(heading(result), scores(result), conditions(result))]
    if result.comparisons:
        found.append(Section("Differences", differences(result), [difference_conditions(result)]))
    if result.edges:
        found.append(edges.section(result))
    if result.table.deployments and any(result.rows.values()):
        found.append(deployments.section(result))
    if result.resources:  # with the training costs
        found.append(resources.section(result))
    elif result.costs:
        found.append(Section("Training costs", costs(result.costs, result.table.cost), [COST_CONDITIONS]))
    return found


def heading(result: TableResult) -> str:
    """Return name of the table, corpus and title."""
    return f"{result.table.name} on {result.corpus}: {result.table.title}"


def measured_on(result: TableResult) -> str:
    """Return corpus with hash, protocol, profile and privileged streams, in words."""
    corpus = f"{result.corpus} ({result.corpus_hash[:12]})"
    streams = text.privileged(result.table.privileged)
    return f"Measured on {corpus}, protocol {result.protocol}, profile {result.profile}{streams}"


def conditions(result: TableResult) -> list[str]:
    """Return the notes below the scores; the first one names corpus, protocol, profile and seeds."""
    lines = [
        f"{measured_on(result)}; {title(result.metric)} on test, mean ± sample deviation over n = {text.runs(result)}; "
        "epoch chosen on dev.",
    ]
    if result.folds:
        lines.append(fold_conditions(result))
    if result.profile == SMOKE:
        lines.append(smoke_note())
    lines += published_conditions(result)
    lines += map(text.remedy, dict.fromkeys(stream for lacking in result.needs.values() for stream in lacking))
    lines += [BASELINE_CONDITIONS] if result.baselines else []
    return lines + text.sentences((*result.table.notes, *result.notes))


def fold_conditions(result: TableResult) -> str:
    """Return how the folds were made and what a cell is."""
    # Numbers alone say nothing.
    named = [name for name in result.folds if not name.isdigit()]
    names = f" ({', '.join(named)})" if named else ""
    return (
        f"Folds: {describe(result.divided)}{names}. A cell is the mean over seeds and folds of the metric within "
        "a fold; teachers and students of a fold are trained on the same fold."
    )


BASELINE_CONDITIONS = (
    "Baselines on the same split, trained on train alone: the majority class, and a logistic regression (C = 0.1) on "
    "the standardised features of single utterances, without context."
)


def published_conditions(result: TableResult) -> list[str]:
    """Return where the published numbers are from, and how far they are comparable."""
    source = result.table.source
    if not result.table.in_paper:
        return ["This table is not in the paper."]
    if not result.published_for:
        return [
            f"The numbers of {source} were measured on {text.PUBLISHED_ON}, not on this corpus: they are not shown."
        ]
    if not result.shows_published:
        return [f"Published numbers ({source}) are weighted F1, so they are not shown here."]
    lines = [f"Published: {source}, measured on {text.PUBLISHED_ON}."]
    others = [*(["features"] if result.published_for == "features" else []), *(["splits"] if result.folds else [])]
    if others:
        lines.append(f"Other {' and '.join(others)} than the paper's: its numbers are for orientation, no verdict.")
    if not all(row.comparable for row in result.table.rows if row.published):
        lines.append(
            "The paper's privileged stream is video: its numbers for rows with another one are for orientation, no "
            "verdict."
        )
    return lines


def shows_published(result: TableResult) -> bool:
    """Return whether the table has columns of published numbers."""
    return result.table.in_paper and result.shows_published


def paper_title(result: TableResult, context: str, companion: str = "") -> str:
    """Return the title of the column with the paper's numbers next to a context, such as ``IEMOCAP-4, paper``."""
    theirs = paper_context(context, result.table.privileged)
    paper = "paper" if theirs == context else f"paper's {theirs}"
    features = ["other features"] if result.published_for == "features" else []
    return ", ".join([text.PUBLISHED_ON, paper, *features, *([companion] if companion else [])])


def has_verdicts(result: TableResult) -> bool:
    """Return whether some cell is compared with a number that was published for this corpus."""
    return any(cell.verdict for row in result.rows.values() for cell in row.values())


def scores(result: TableResult) -> Grid:
    """Return row name and n, then per context: measured, published, verdict, and the companion table's two columns.

    Columns that would be empty in all rows are left out.
    """
    columns = [Column("model", "name"), Column("n")]
    for context in result.table.contexts:
        columns.append(Column(f"{context} inference{_named(result)}", "measured", starts_group=True))
        if shows_published(result):
            columns.append(Column(paper_title(result, context), "paper"))
        if has_verdicts(result):
            columns.append(Column("verdict", "verdict"))
        if result.table.companion is not None:
            other = result.table.companion.title
            columns.append(Column(f"{context}, {other}", "measured"))
            if shows_published(result):
                columns.append(Column(paper_title(result, context, other), "paper"))
    lines = [_score_line(result, row) for row in result.table.rows]
    lines += [_baseline_line(result, name, columns) for name in result.baselines]
    return Grid(tuple(columns), lines)


def _baseline_line(result: TableResult, name: str, columns: Sequence[Column]) -> list[str]:
    """Return the line of a baseline, with a number in the first column of each context."""
    scores = {context: text.baseline(cell) for context, cell in result.baselines[name].items()}
    first = [i for i, column in enumerate(columns) if column.starts_group]
    places = dict(zip(first, result.table.contexts, strict=True))
    line = [scores.get(places.get(i, ""), text.MISSING) for i in range(len(columns))]
    return [name, str(len(result.folds) or text.MISSING), *line[2:]]


def _named(result: TableResult) -> str:
    """Return the metric for a column's title, unless it is the paper's."""
    return "" if result.metric == DEFAULT else f", {title(result.metric)}"


def _score_line(result: TableResult, row: Row) -> list[str]:
    reason = text.why_missing(result, row)
    line = [row.name, text.MISSING if reason else str(result.runs_per_cell)]
    for context in result.table.contexts:
        cell = result.rows[row.name].get(context)
        line.append(reason if reason and context in row.contexts else text.measured(cell))
        if shows_published(result):
            # Published values stay visible where nothing could be measured.
            line.append(text.published(shown(result, row).get(context)))
        if has_verdicts(result):
            line.append((cell and cell.verdict) or text.MISSING)
        if result.table.companion is not None:
            other = result.companion.get(row.name, {}).get(context)
            line += [text.measured(other), *([text.published(other)] if shows_published(result) else [])]
    return line


def shown(result: TableResult, row: Row) -> dict[str, Cell]:
    """Return the cells of a row by context; if its arm could not be trained, they hold the published values alone."""
    measured = result.rows[row.name]
    return {
        context: measured.get(context)
        or Cell.unmeasured(row.published.get(context), row.published_std.get(context), result.labels)
        for context in row.contexts
    }


def differences(result: TableResult) -> Grid:
    """Return the comparisons that the table asks for, one per line."""
    columns = (
        Column("first", "name"),
        Column("second", "name"),
        Column("difference [95 % interval]", "measured"),
        Column("p"),
        Column("p (Holm)"),
    )
    return Grid(
        columns,
        [
            [each.first, each.second, text.signed(each.difference), text.p_value(each.p), text.p_value(each.p_holm)]
            for each in result.comparisons
        ],
    )


def difference_conditions(result: TableResult) -> str:
    """Return how differences, intervals and p values were computed."""
    number = len(result.comparisons)
    corrected = f"Holm's correction for the {number} comparison{'s' if number > 1 else ''} of this table"
    if len(result.seeds) < 2:
        return "Differences have neither interval nor p: with 1 seed nothing is known about their error."
    what = resampled([each.difference for each in result.comparisons])
    return (
        f"Intervals (95 %) and two-sided p values of a crossed bootstrap over {what}; {corrected}. Seeds are pairs "
        "where two cells are of the same runs or of runs with common teachers. How often the intervals are right: "
        "docs/statistics.md."
    )


def resampled(found: Sequence[Estimate]) -> str:
    """Return what the bootstrap behind these estimates resamples."""
    if any(each.dialogues == 0 for each in found):
        return "seeds alone, because a single test dialogue cannot be resampled"
    speakers = sorted({each.dialogues for each in found if each.by_speaker})
    if not speakers:
        return "seeds and test dialogues"
    return f"seeds and the {' or '.join(map(str, speakers))} test speakers, each with all dialogues"


def costs(found: Mapping[str, Cost], first: str) -> Grid:
    """Return how long each row took to train, one row per line, and relative to the row ``first``."""
    base = found.get(first)
    columns = (
        Column("model", "name"),
        Column("seconds per run", "measured"),
        Column(f"relative to {first}"),
        Column("seconds for its teachers"),
    )
    lines = [
        [
            name,
            f"{cost.own:.1f}",
            text.MISSING if base is None else f"{cost.own / base.own:.2f}",
            f"{cost.teachers:.1f}" if cost.teachers else text.MISSING,
        ]
        for name, cost in found.items()
    ]
    return Grid(columns, lines)


COST_CONDITIONS = (
    "Training costs are medians over seeds of the time that one run took. Other runs may have trained on the same "
    "machine at the same time, so ratios are more reliable than seconds. Ratios are meaningless if some runs trained "
    "all seeds as one program and others one seed at a time. Teachers are trained once for all students of a seed."
)
