"""Selection, on dev alone, of what the paper leaves open: an arm's hyper-parameters and how masks are drawn."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property

from replicate.config.grid import Trial, arm_with_grid, trials
from replicate.config.requirements import check_streams
from replicate.errors import TrainingFailed
from replicate.experiment.context import CommandContext
from replicate.experiment.plan import Plan
from replicate.experiment.wording import epochs, where
from replicate.results.statistics import Summary, summarise
from replicate.runner.tasks import TaskGraph
from replicate.store.run import Run
from replicate.training.config import Arm, RunSpec
from replicate.training.metrics import weighted_f1
from replicate.training.required import require

DEFAULT_SEEDS = 2


@dataclass(frozen=True)
class Scores:
    """Weighted F1 over seeds; ``values`` in the order of the seeds."""

    summary: Summary
    values: tuple[float, ...]


@dataclass(frozen=True)
class SweepResult:
    """The result of a sweep, as it is printed and written.

    Attributes:
        ranked: trials and their scores on dev in the arm's ``select`` context, best first.
        test: scores on test by trial number and context, of the first trial in ``ranked`` and of trial 0 alone.
    """

    ranked: tuple[tuple[Trial, Scores], ...]
    test: Mapping[int, Mapping[str, Scores]]

    @property
    def winner(self) -> Trial:
        """The trial with the best mean on dev; of equally good ones the one with the smallest number."""
        return self.ranked[0][0]


@dataclass(frozen=True)
class Sweep:
    """Trials of one arm on a plan's corpus, profile and seeds; the plan itself has no tables.

    Attributes:
        trials: the first one, number 0, is the arm unchanged.
        points: size of the grid, without the unchanged arm.
    """

    plan: Plan
    context: CommandContext
    arm: Arm
    trials: tuple[Trial, ...]
    points: int

    @classmethod
    def prepare(cls, name: str, count: int, plan: Plan, context: CommandContext) -> Sweep:
        """Draw the trials; nothing is trained.

        Raises:
            InvalidDefinition: the arm has no grid, or one with impossible values. MissingStream: the corpus lacks a
                stream of the arm or of its teacher.
        """
        arm = arm_with_grid(name, plan.privileged)
        require(plan.corpus, arm.required_streams)
        check_streams(arm, plan.privileged)
        return cls(plan, context, arm, *trials(arm, plan.protocol, count, plan.privileged))

    @cached_property
    def graph(self) -> TaskGraph:
        """All runs, seed by seed."""
        specs = (self._spec(trial, seed) for seed in self.plan.seeds for trial in self.trials)
        return TaskGraph(((spec, self.plan.corpus) for spec in specs), self.plan.device)

    def describe(self, todo: int) -> str:
        """Return one line on the runs of the sweep; ``todo`` of them are still to be trained."""
        plan, total = self.plan, len(self.graph.tasks)
        return (
            f"sweep of {self.arm.name} on {plan.corpus.name}: {len(self.trials) - 1} of {self.points} points of "
            f"the grid and the unchanged arm, {total} runs, {total - todo} completed, {todo} to train "
            f"({epochs(self.graph)} each, {plan.device}, {where(plan, self.context, todo)})"
        )

    def result(self, failed: Collection[str] = ()) -> SweepResult:
        """Rank the trials on dev; then evaluate the selected one and the unchanged arm on test, once.

        Args:
            failed: keys of runs that could not be trained. Their trials are not ranked.

        Raises:
            CorruptRun: a run is missing or damaged. TrainingFailed: a run of the unchanged arm failed, so there is
            nothing to compare the trials with.
        """
        complete = [trial for trial in self.trials if not any(self.key(trial, s) in failed for s in self.plan.seeds)]
        if self.trials[0] not in complete:
            raise TrainingFailed(
                f"{self.arm.name} itself could not be trained: there is nothing to compare trials with"
            )
        scored = [(trial, self._scores(trial, "dev", self.arm.select)) for trial in complete]
        ranked = sorted(scored, key=lambda pair: -pair[1].summary.mean)
        shown = {trial.number: trial for trial in (ranked[0][0], self.trials[0])}
        test = {
            number: {context: self._scores(trial, "test", context) for context in self.arm.contexts}
            for number, trial in shown.items()
        }
        return SweepResult(tuple(ranked), test)

    def key(self, trial: Trial, seed: int) -> str:
        """Return the key of a trial's run."""
        return self.graph.key(self._spec(trial, seed), self.plan.corpus)

    def _spec(self, trial: Trial, seed: int) -> RunSpec:
        return self.plan.run_of(trial.arm, trial.protocol, seed)

    def _scores(self, trial: Trial, split: str, context: str) -> Scores:
        runs = [self._run(trial, seed) for seed in self.plan.seeds]
        values = tuple(weighted_f1(run.labels(split), run.log_prob(split, context)) for run in runs)
        return Scores(summarise(values), values)

    def _run(self, trial: Trial, seed: int) -> Run:
        return self.context.store.need(self.key(trial, seed), f"{trial.arm.name}, seed {seed}")
