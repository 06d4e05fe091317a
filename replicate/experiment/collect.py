"""A plan's tables, computed from its completed runs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from replicate.config import tables as definitions
from replicate.config.requirements import lacking
from replicate.config.tables import Row, Table
from replicate.corpus.provenance import describe
from replicate.experiment.completed import CompletedRuns
from replicate.experiment.plan import Plan
from replicate.model.config import ModelConfig
from replicate.results import aggregate
from replicate.results.aggregate import Cost, TableResult
from replicate.results.baselines import baselines
from replicate.results.cell import Cell, RowRuns
from replicate.results.edges import EdgeWeight, edge_weights
from replicate.results.resources import Resources, median_length


def tables(completed: CompletedRuns, known: Mapping[str, TableResult] | None = None) -> list[TableResult]:
    """Return the tables of a plan; rows whose runs failed have no cells.

    Args:
        known: tables that were computed from the same runs before, by name.

    Raises:
        CorruptRun: a run is missing although its training did not fail.
    """
    known = known or {}
    return [known.get(table.name) or one(completed, table) for table in completed.plan.tables]


def one(completed: CompletedRuns, table: Table) -> TableResult:
    """Return one table of a plan, whose other tables may lack runs; see ``tables``."""
    plan = completed.plan
    corpus = plan.corpus_of(table)
    rows, needs = aggregate.cells(table.rows, corpus, _runs_of(completed, table), plan.metric)
    others: dict[str, dict[str, Cell]] = {}
    if table.companion is not None:
        other = definitions.companion_table(table)
        others, _ = aggregate.cells(other.rows, plan.corpus_of(other), _runs_of(completed, other), plan.metric)
    failures = {row.name: completed.failure(table, row) for row in table.rows if row.name not in needs}
    failed = {name: failure for name, failure in failures.items() if failure is not None}
    return TableResult(
        table,
        corpus.name,
        corpus.hash,
        (*_notes(completed, table, needs), *map(str, failed.values())),
        plan.profile.name,
        table.protocol or plan.protocol.name,
        plan.seeds,
        rows,
        others,
        needs,
        aggregate.compared(table, rows),
        _costs(completed, table, {*needs, *failed}) if table.cost else {},
        corpus.labels,
        {name: failure.reason for name, failure in failed.items()},
        metric=plan.metric,
        folds=tuple(fold.name for fold in plan.folds_of(table)),
        divided=plan.folds,
        baselines=_baselines(plan, table, needs),
        resources=_resources(completed, table),
        edges=_edges(completed, table, {*needs, *failed}) if table.edges else (),
        published_for=aggregate.published_for(corpus),
        control=corpus.control,
    )


def models(completed: CompletedRuns, table: Table) -> dict[str, tuple[ModelConfig, int]]:
    """Return the model of each row of a table that shows resources, and the median length of the corpus's dialogues.

    Raises:
        CorruptRun: a run is missing although its training did not fail.
    """
    corpus = completed.plan.corpus_of(table)
    without = lacking(table.rows, corpus)
    rows = [row for row in table.rows if table.resources and row.name not in without]
    trained = {row.name: row for row in rows if not completed.failure(table, row)}
    length = median_length(corpus)
    return {name: (completed.of_row(table, row)[0].record.model, length) for name, row in trained.items()}


def _resources(completed: CompletedRuns, table: Table) -> dict[str, Resources]:
    """Return what the model of each row needs, for a table that shows it."""
    if not table.resources:
        return {}
    from replicate.results.counting import resources  # imports torch, which all other tables do without

    return {name: resources(*model) for name, model in models(completed, table).items()}


def _baselines(plan: Plan, table: Table, needs: Collection[str]) -> dict[str, dict[str, Cell]]:
    """Return the baselines on the splits of a table, for the audio streams of the rows that can be trained."""
    audio = tuple(dict.fromkeys(row.arm.audio for row in table.rows if row.name not in needs))
    return baselines(plan.corpora_of(table), table.contexts, audio, plan.metric)


def _runs_of(completed: CompletedRuns, table: Table) -> Callable[[Row], RowRuns | None]:
    """Return a function that gives the runs of a row, or None if one of them failed."""

    def runs_of(row: Row) -> RowRuns | None:
        if completed.failure(table, row):
            return None
        runs = tuple(completed.of_row(table, row))
        folds = len(completed.plan.corpora_of(table))
        return RowRuns(runs, folds, completed.plan.graph.all_teachers(run.record.key for run in runs))

    return runs_of


def _notes(completed: CompletedRuns, table: Table, needs: Collection[str]) -> tuple[str, ...]:
    """Return notes for readers of the table: precision, dialogues left out, how streams were extracted."""
    plan = completed.plan
    corpus, total = plan.corpus_of(table), len(plan.corpus.dialogues)
    dropped = total - len(corpus.dialogues)
    used = dict.fromkeys(name for row in table.rows if row.name not in needs for name in row.arm.required_streams)
    return (
        *(["Trained with products in bfloat16 (--precision bf16)."] if plan.precision == "bf16" else []),
        *([f"{dropped} of {total} dialogues are left out (--keep-dropped)"] if dropped else []),
        *corpus.notes,
        *(f"stream {name}: {describe(corpus.recipes[name])}" for name in used if name in corpus.recipes),
    )


def _edges(completed: CompletedRuns, table: Table, without: Collection[str]) -> tuple[EdgeWeight, ...]:
    """Return the learned weights of DMD's edges, of all rows except ``without``."""
    rows = [row for row in table.rows if row.name not in without]
    return edge_weights({row.name: completed.of_row(table, row) for row in rows})


def _costs(completed: CompletedRuns, table: Table, without: Collection[str]) -> dict[str, Cost]:
    """Return the training time by row, for all rows except ``without``."""
    found = {}
    for row in table.rows:
        if row.name not in without:
            arms = dict.fromkeys(row.arm.with_teachers[1:])
            teachers = [completed.of_arm(table, row, arm) for arm in arms]
            found[row.name] = aggregate.cost(completed.of_row(table, row), teachers)
    return found
