"""A table's numbers, computed from stored predictions alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from replicate.corpus.types import Corpus
from replicate.errors import CorruptRun
from replicate.experiment.definitions import Profile, Table, arms
from replicate.experiment.statistics import Summary, summarise, verdict
from replicate.experiment.store import Store, StoredRun, run_key
from replicate.training.metrics import weighted_f1
from replicate.training.settings import Protocol, RunSpec


@dataclass(frozen=True)
class Cell:
    """An arm's weighted F1 on test in one context over all seeds, beside the published value if there is one."""

    summary: Summary
    values: tuple[float, ...]
    published: float | None
    verdict: str | None


@dataclass(frozen=True)
class TableResult:
    """What is printed and written; cells by row name and context."""

    table: Table
    corpus: str
    corpus_hash: str
    notes: tuple[str, ...]
    profile: str
    protocol: str
    seeds: tuple[int, ...]
    rows: Mapping[str, Mapping[str, Cell]]


def specs(table: Table, profile: Profile, protocol: Protocol, seeds: tuple[int, ...]) -> list[RunSpec]:
    """All runs of a table, seed by seed, so that early results cover all arms."""
    known = arms()
    names = dict.fromkeys(row.arm for row in table.rows)
    return [RunSpec(known[name], protocol, profile.budget, seed) for seed in seeds for name in names]


def collect(
    table: Table,
    profile: Profile,
    protocol: Protocol,
    seeds: tuple[int, ...],
    corpus: Corpus,
    store: Store,
    device: str,
) -> TableResult:
    """The finished table. Every run of ``specs`` must be in the store."""
    runs: dict[str, list[StoredRun]] = {}
    for spec in specs(table, profile, protocol, seeds):
        stored = store.get(run_key(spec, corpus, device))
        if stored is None:
            raise CorruptRun(
                f"the run of {spec.arm.name}, seed {spec.seed} has gone from {store.root}: run the same command again"
            )
        runs.setdefault(spec.arm.name, []).append(stored)
    known = arms()
    rows = {
        row.name: {
            context: _cell(runs[row.arm], context, row.published.get(context), corpus.published)
            for context in table.contexts
            if context in known[row.arm].contexts
        }
        for row in table.rows
    }
    return TableResult(table, corpus.name, corpus.hash, corpus.notes, profile.name, protocol.name, seeds, rows)


def _cell(runs: list[StoredRun], context: str, published: float | None, comparable: bool) -> Cell:
    values = tuple(weighted_f1(run.labels("test"), run.log_prob("test", context)) for run in runs)
    summary = summarise(values)
    return Cell(summary, values, published, verdict(summary, published, comparable))
