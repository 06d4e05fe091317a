"""Selection, on dev alone, of what the paper leaves open: an arm's hyper-parameters and how masks are drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from replicate.config.grid import Trial, arm_with_grid, trials
from replicate.experiment.campaign import Campaign
from replicate.results.statistics import Summary, summarise
from replicate.runner.tasks import Task, graph
from replicate.runner.worker import ProgressCallback
from replicate.store.keys import run_key
from replicate.store.run import Run
from replicate.training.config import Arm, RunSpec
from replicate.training.data import require
from replicate.training.metrics import weighted_f1

DEFAULT_SEEDS = 2


@dataclass(frozen=True)
class Scores:
    """Weighted F1 over seeds; ``values`` in the order of the seeds."""

    summary: Summary
    values: tuple[float, ...]


@dataclass(frozen=True)
class SweepResult:
    """What is printed and written.

    Attributes:
        ranked: trials and their scores on dev in the arm's ``select`` context, best first.
        test: scores on test by trial number and context, of the first trial in ``ranked`` and of trial 0 alone.
    """

    ranked: tuple[tuple[Trial, Scores], ...]
    test: Mapping[int, Mapping[str, Scores]]

    @property
    def winner(self) -> Trial:
        """The trial with the best mean on dev; of equals the one with the smallest number."""
        return self.ranked[0][0]


@dataclass(frozen=True)
class Sweep:
    """Trials of one arm on a campaign's corpus, profile, seeds and store.

    Attributes:
        points: size of the grid, without the arm as it stands.
    """

    campaign: Campaign
    arm: Arm
    trials: tuple[Trial, ...]
    points: int

    @classmethod
    def prepare(cls, name: str, count: int, campaign: Campaign) -> Sweep:
        """Resolve what the user typed; nothing is trained.

        Raises:
            InvalidDefinition: the arm has no grid, or one with impossible values. MissingStream: the corpus lacks a
                stream of the arm or of its teacher.
        """
        arm = arm_with_grid(name)
        require(campaign.corpus, arm.needs)
        return cls(campaign, arm, *trials(arm, campaign.protocol, count))

    @cached_property
    def tasks(self) -> dict[str, Task]:
        """All runs by key, teachers before students; seed by seed."""
        specs = (self._spec(trial, seed) for seed in self.campaign.seeds for trial in self.trials)
        return graph(((spec, self.campaign.corpus) for spec in specs), self.campaign.device)

    def missing(self, repair: bool = False, remove: bool = True) -> list[Task]:
        """The runs that are still to be trained; with ``repair``, damaged ones are removed and among them."""
        return [self.tasks[key] for key in self.campaign.store.missing(self.tasks, repair, remove)]

    def train(self, todo: list[Task], listen: ProgressCallback) -> None:
        """Train ``todo``."""
        campaign = self.campaign
        if todo:
            campaign.store.probe()
        corpora = {campaign.corpus.hash: campaign.corpus}
        campaign.engine(todo, corpora, listen)

    def describe(self, todo: int) -> str:
        """One line on what is about to happen."""
        campaign, total = self.campaign, len(self.tasks)
        return (
            f"sweep of {self.arm.name} on {campaign.corpus.name}: {len(self.trials) - 1} of {self.points} points of "
            f"the grid and the arm as it stands, {total} runs, {total - todo} finished, {todo} to train "
            f"({campaign.profile.budget.epochs} epochs each, {campaign.device}, "
            f"{campaign.where(todo)})"
        )

    def result(self) -> SweepResult:
        """Trials ranked on dev; then, once, the selected one and the arm as it stands on test.

        Raises:
            CorruptRun: a run has gone or is damaged.
        """
        scored = [(trial, self._scores(trial, "dev", self.arm.select)) for trial in self.trials]
        ranked = sorted(scored, key=lambda pair: -pair[1].summary.mean)
        shown = {trial.number: trial for trial in (ranked[0][0], self.trials[0])}
        test = {
            number: {context: self._scores(trial, "test", context) for context in self.arm.contexts}
            for number, trial in shown.items()
        }
        return SweepResult(tuple(ranked), test)

    def key(self, trial: Trial, seed: int) -> str:
        """Name of a run in the store."""
        return run_key(self._spec(trial, seed), self.campaign.corpus, self.campaign.device)

    def _spec(self, trial: Trial, seed: int) -> RunSpec:
        return self.campaign.run_of(trial.arm, trial.protocol, seed)

    def _scores(self, trial: Trial, split: str, context: str) -> Scores:
        runs = [self._run(trial, seed) for seed in self.campaign.seeds]
        values = tuple(weighted_f1(run.labels(split), run.log_prob(split, context)) for run in runs)
        return Scores(summarise(values), values)

    def _run(self, trial: Trial, seed: int) -> Run:
        return self.campaign.store.need(self.key(trial, seed), f"{trial.arm.name}, seed {seed}")
