"""The completed runs of a plan, found in a store by the keys of the plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from replicate.config.tables import Row, Table
from replicate.corpus.types import Corpus
from replicate.experiment.plan import Plan
from replicate.provenance import joined
from replicate.runner.failures import FailedRun
from replicate.store.run import Run
from replicate.store.store import Store
from replicate.training.config import Arm, RunSpec


@dataclass(frozen=True)
class CompletedRuns:
    """The runs of a plan.

    Attributes:
        failed: by key, the runs that could not be trained. All others must be in the store.
    """

    plan: Plan
    store: Store
    failed: Mapping[str, FailedRun] = field(default_factory=dict)

    def of_row(self, table: Table, row: Row) -> list[Run]:
        """Return the runs of a row, seed by seed, and the runs of a seed fold by fold.

        Raises:
            CorruptRun: a run is missing or damaged.
        """
        corpora = self.plan.corpora_of(table)
        specs = [self.plan.spec(table, row, seed) for seed in self.plan.seeds]
        return [self._run(spec, corpus) for spec in specs for corpus in corpora]

    def of_arm(self, table: Table, row: Row, arm: Arm) -> list[Run]:
        """Return the runs of a row's arm, or of one of its teachers or theirs, in the order of ``of_row``.

        Raises:
            CorruptRun: a run is missing or damaged.
        """
        corpora = self.plan.corpora_of(table)
        specs = [_of_arm(self.plan.spec(table, row, seed), arm) for seed in self.plan.seeds]
        return [self._run(spec, corpus) for spec in specs for corpus in corpora]

    def failure(self, table: Table, row: Row) -> FailedRun | None:
        """Return the first run of a row that could not be trained, or None."""
        specs = [self.plan.spec(table, row, seed) for seed in self.plan.seeds]
        keys = (self.plan.graph.key(spec, corpus) for spec in specs for corpus in self.plan.corpora_of(table))
        return next((self.failed[key] for key in keys if key in self.failed), None)

    def seconds(self) -> float:
        """Return the sum of the training times of all runs, in this command or in earlier ones."""
        return sum(run.record.seconds for run in map(self.store.get, self.plan.tasks) if run is not None)

    def builds(self) -> dict[str, str]:
        """Return how the libraries were built that trained the runs, as far as their records tell."""
        records = [self.store.record(key) for key in self.plan.tasks if key not in self.failed]
        return joined(record.provenance.builds for record in records if record.provenance)

    def _run(self, spec: RunSpec, corpus: Corpus) -> Run:
        key = self.plan.graph.key(spec, corpus)
        return self.store.need(key, self.plan.tasks[key].name)


def _of_arm(spec: RunSpec, arm: Arm) -> RunSpec:
    """Return the run of an arm among a run, its teachers, the teachers' teachers, and so on."""
    waiting = [spec]
    for each in waiting:
        if each.arm == arm.resolved(each.protocol.model):
            return each
        waiting += each.teachers
    raise ValueError(f"{arm.name} is no teacher of {spec.arm.name}")
