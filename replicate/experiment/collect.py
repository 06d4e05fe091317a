"""A campaign's tables from its finished runs."""

from __future__ import annotations

from collections.abc import Callable, Collection

from replicate.config import tables as definitions
from replicate.config.tables import Row, Table
from replicate.corpus.provenance import describe
from replicate.experiment.campaign import Campaign
from replicate.results import aggregate
from replicate.results.aggregate import Cell, Cost, TableResult
from replicate.store.run import Run


def tables(campaign: Campaign) -> list[TableResult]:
    """The finished tables.

    Raises:
        CorruptRun: a run is not there.
    """
    return [_table(campaign, table) for table in campaign.tables]


def _table(campaign: Campaign, table: Table) -> TableResult:
    corpus = campaign.corpus_of(table)
    rows, needs = aggregate.cells(table.rows, corpus, _fetch(campaign, table))
    others: dict[str, dict[str, Cell]] = {}
    if table.companion is not None:
        other = definitions.companion_table(table)
        others, _ = aggregate.cells(other.rows, campaign.corpus_of(other), _fetch(campaign, other))
    return TableResult(
        table,
        corpus.name,
        corpus.hash,
        _notes(campaign, table, needs),
        campaign.profile.name,
        table.protocol or campaign.protocol.name,
        campaign.seeds,
        rows,
        others,
        needs,
        aggregate.compared(table, rows),
        _costs(campaign, table, needs) if table.cost else {},
        corpus.labels,
    )


def _fetch(campaign: Campaign, table: Table) -> Callable[[Row], list[Run]]:
    return lambda row: campaign.runs(table, row)


def _notes(campaign: Campaign, table: Table, needs: Collection[str]) -> tuple[str, ...]:
    """What a reader of the table must know: how it was trained, what it leaves out, what its streams are made by."""
    corpus, all_of_it = campaign.corpus_of(table), len(campaign.corpus.dialogues)
    dropped = all_of_it - len(corpus.dialogues)
    seen = dict.fromkeys(name for row in table.rows if row.name not in needs for name in row.arm.required_streams)
    return (
        *(["Trained with products in bfloat16 (--precision bf16)."] if campaign.precision == "bf16" else []),
        *([f"{dropped} of {all_of_it} dialogues are left out (--keep-dropped)"] if dropped else []),
        *corpus.notes,
        *(f"stream {name}: {describe(corpus.recipes[name])}" for name in seen if name in corpus.recipes),
    )


def _costs(campaign: Campaign, table: Table, needs: Collection[str]) -> dict[str, Cost]:
    """What the rows of a table took to train, but for those that need something."""
    corpus = campaign.corpus_of(table)
    found = {}
    for row in table.rows:
        if row.name not in needs:
            reading = table.protocol_of(row, campaign.protocol)
            with_teachers = dict.fromkeys(row.arm.with_teachers[1:])
            teachers = [
                [campaign.stored(campaign.run_of(arm, reading, seed), corpus) for seed in campaign.seeds]
                for arm in with_teachers
            ]
            found[row.name] = aggregate.cost(campaign.runs(table, row), teachers)
    return found
