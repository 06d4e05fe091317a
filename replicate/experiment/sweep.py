"""Selection on dev of what the paper leaves open: hyper-parameters of an arm and of its masks."""

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
    """Scores of all trials on dev, and of two of them on test.

    Attributes:
        ranked: trials with their dev scores in the arm's ``select`` context, best first.
        test: scores on test by trial number and context, only for the first trial in ``ranked`` and trial 0.
    """

    ranked: tuple[tuple[Trial, Scores], ...]
    test: Mapping[int, Mapping[str, Scores]]

    @property
    def winner(self) -> Trial:
        """The trial with the best mean on dev; of equal ones that with the smallest number."""
        return self.ranked[0][0]


@dataclass(frozen=True)
class Sweep:
    """Trials of one arm on a campaign's corpus, profile, seeds and store.

    Attributes:
        points: size of the grid, without the unchanged arm.
    """

    campaign: Campaign
    arm: Arm
    trials: tuple[Trial, ...]
    points: int

    @classmethod
    def prepare(cls, name: str, count: int, campaign: Campaign) -> Sweep:
        """Look up the arm and its grid, and check that the corpus has all streams; nothing is trained.

        Raises:
            InvalidDefinition: the arm has no grid, or one with impossible values. MissingStream: the corpus lacks a
                stream of the arm or of one of its teachers.
        """
        arm = arm_with_grid(name)
        require(campaign.corpus, arm.required_streams)
        return cls(campaign, arm, *trials(arm, campaign.protocol, count))

    @cached_property
    def tasks(self) -> dict[str, Task]:
        """All runs by key, seed by seed, with teachers before students."""
        specs = (self._spec(trial, seed) for seed in self.campaign.seeds for trial in self.trials)
        return graph(((spec, self.campaign.corpus) for spec in specs), self.campaign.device)

    def missing(self, repair: bool = False, remove: bool = True) -> list[Task]:
        """Return the runs that are not in the store; with ``repair``, damaged runs are removed and trained again."""
        return [self.tasks[key] for key in self.campaign.store.missing(self.tasks, repair, remove)]

    def train(self, todo: list[Task], callback: ProgressCallback) -> None:
        """Train ``todo``."""
        campaign = self.campaign
        if todo:
            campaign.store.probe()
        corpora = {campaign.corpus.hash: campaign.corpus}
        campaign.engine(todo, corpora, callback)

    def describe(self, todo: int) -> str:
        """Return one line on the number of trials and runs and how they are trained."""
        campaign, total = self.campaign, len(self.tasks)
        return (
            f"sweep of {self.arm.name} on {campaign.corpus.name}: {len(self.trials) - 1} of {self.points} points of "
            f"the grid and the unchanged arm, {total} runs, {total - todo} completed, {todo} to train "
            f"({campaign.profile.budget.epochs} epochs each, {campaign.device}, "
            f"{campaign.where(todo)})"
        )

    def result(self) -> SweepResult:
        """Rank the trials on dev, then evaluate the selected trial and the unchanged arm on test.

        Raises:
            CorruptRun: a run is missing or damaged.
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
        """Return the store key of the run of one trial and seed."""
        return run_key(self._spec(trial, seed), self.campaign.corpus, self.campaign.device)

    def _spec(self, trial: Trial, seed: int) -> RunSpec:
        return self.campaign.run_of(trial.arm, trial.protocol, seed)

    def _scores(self, trial: Trial, split: str, context: str) -> Scores:
        runs = [self._run(trial, seed) for seed in self.campaign.seeds]
        values = tuple(weighted_f1(run.labels(split), run.log_prob(split, context)) for run in runs)
        return Scores(summarise(values), values)

    def _run(self, trial: Trial, seed: int) -> Run:
        return self.campaign.store.need(self.key(trial, seed), f"{trial.arm.name}, seed {seed}")
