"""A search over arms and corpora, on dev alone: which candidate gains most over the baseline on audio alone."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from statistics import fmean

from replicate.config.requirements import check_streams
from replicate.config.search import Candidate, Search, candidates, search
from replicate.errors import InvalidArgument, TrainingFailed
from replicate.experiment.context import CommandContext
from replicate.experiment.plan import Plan
from replicate.experiment.wording import epochs, where
from replicate.runner.tasks import TaskGraph
from replicate.training.config import RunSpec
from replicate.training.metrics import weighted_f1
from replicate.training.required import require


@dataclass(frozen=True)
class Gain:
    """Scores of a candidate on dev.

    Attributes:
        dev: weighted F1 on audio alone by corpus, then by seed.
        by_corpus: mean over seeds minus that of the baseline.
    """

    candidate: Candidate
    dev: tuple[tuple[float, ...], ...]
    by_corpus: tuple[float, ...]

    @property
    def mean(self) -> float:
        """The mean over corpora, by which candidates are ranked."""
        return fmean(self.by_corpus)


@dataclass(frozen=True)
class SearchResult:
    """The result of a search, as it is printed and written.

    Attributes:
        ranked: all candidates of a stage and the baseline, best first; of equally good ones, the smaller number first.
    """

    ranked: tuple[Gain, ...]

    @property
    def recipe(self) -> Gain | None:
        """The best candidate that is trained with privileged streams; None if none of the candidates is."""
        return next((gain for gain in self.ranked if gain.candidate.privileged), None)

    @property
    def tuned(self) -> Gain:
        """The best candidate that is trained on audio alone, perhaps the baseline."""
        return next(gain for gain in self.ranked if not gain.candidate.privileged)


@dataclass(frozen=True)
class CorporaSearch:
    """One stage of a search: candidates on several corpora.

    Attributes:
        plans: one for each corpus, without tables; they differ in the corpus and its privileged streams.
        candidates: by corpus, in the order of ``plans``; they differ in the streams that ``{P}`` stands for. The first
            one is the baseline.
        total: number of different candidates that there are, without the baseline.
        final: whether the candidates are the best ones of an earlier stage, with more seeds.
    """

    definition: Search
    plans: tuple[Plan, ...]
    context: CommandContext
    candidates: tuple[tuple[Candidate, ...], ...]
    total: int
    final: bool = False

    @classmethod
    def prepare(
        cls, name: str, count: int, plans: Sequence[Plan], context: CommandContext, own_seeds: bool = True
    ) -> CorporaSearch:
        """Draw the candidates; nothing is trained. ``own_seeds`` takes the seeds of the search, not those of the plans.

        Raises:
            InvalidArgument: a corpus is given twice. InvalidDefinition: see ``config.search``. MissingStream: a corpus
            lacks a stream of a candidate.
        """
        if len({plan.corpus.hash for plan in plans}) < len(plans):
            raise InvalidArgument("--data names the same corpus twice: a search compares different corpora")
        definitions = [search(name, plan.privileged) for plan in plans]
        if own_seeds:
            plans = [replace(plan, seeds=definitions[0].seeds) for plan in plans]
        drawn = []
        for plan, definition in zip(plans, definitions, strict=True):
            found, total = candidates(definition, plan.protocol, count, plan.privileged)
            for each in found:
                check_streams(each.trial.arm, plan.privileged)
                require(plan.corpus, each.trial.arm.required_streams)
            drawn.append(found)
        return cls(definitions[0], tuple(plans), context, tuple(drawn), total)

    def finals(self, result: SearchResult) -> CorporaSearch | None:
        """Return the stage that the choice is made in: the best candidates of both kinds, with more seeds.

        None if the search has no such stage, or this is it.
        """
        count = self.definition.finalists
        if self.final or not count:
            return None
        ranked = [gain.candidate for gain in result.ranked if gain.candidate.number]
        best = [each for kind in (False, True) for each in [c for c in ranked if c.privileged is kind][:count]]
        kept = {0, *(each.number for each in best)}
        chosen = tuple(tuple(each for each in own if each.number in kept) for own in self.candidates)
        plans = tuple(replace(plan, seeds=self._all_seeds) for plan in self.plans)
        return replace(self, plans=plans, candidates=chosen, final=True)

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds of every candidate on every corpus."""
        return self.plans[0].seeds

    @property
    def corpora(self) -> str:
        """The names of the corpora in words."""
        return " and ".join(plan.corpus.name for plan in self.plans)

    @property
    def budget(self) -> str:
        """The budget of this stage in words, such as ``30 of 587 candidates and COGMEN-A, 2 seeds, 2 corpora``."""
        count, base = len(self.candidates[0]) - 1, self.definition.baseline.name
        what = f"{count} finalists" if self.final else f"{count} of {self.total} candidates"
        seeds = f"{len(self.seeds)} seed{'s' * (len(self.seeds) != 1)} ({', '.join(map(str, self.seeds))})"
        corpora = f"{len(self.plans)} {'corpus' if len(self.plans) == 1 else 'corpora'}"
        teachers = len(self.graph.tasks) - len(self._keys)
        return f"{what} and {base}, {seeds}, {corpora}: {len(self._keys)} runs and {teachers} of teachers"

    @property
    def next_stage(self) -> str:
        """What follows this stage, in words; "" if nothing does."""
        count, more = self.definition.finalists, len(self._all_seeds) - len(self.seeds)
        if self.final or not count:
            return ""
        return f"then the best {count} of audio alone and the best {count} with privileged streams, {more} more seeds"

    @property
    def _all_seeds(self) -> tuple[int, ...]:
        return tuple(dict.fromkeys((*self.seeds, *self.definition.final_seeds)))

    @property
    def folder(self) -> Path:
        """The folder of the search's files."""
        folders = [self.context.folder(plan) for plan in self.plans]
        return self.context.out / "+".join(folder.parent.name for folder in folders) / folders[0].name

    @cached_property
    def graph(self) -> TaskGraph:
        """All runs, candidate by candidate."""
        wanted = (
            (spec, plan.corpus) for each in self.candidates[0] for plan, specs in self._specs(each) for spec in specs
        )
        return TaskGraph(wanted, self.plans[0].device)

    def describe(self, todo: int) -> str:
        """Return one line that states the budget; ``todo`` runs are still to be trained."""
        plan, total = self.plans[0], len(self.graph.tasks)
        after = f"; {self.next_stage}" if self.next_stage else ""
        return (
            f"search {self.definition.name} on {self.corpora}: {self.budget}{after}; {total - todo} completed, "
            f"{todo} to train ({epochs(self.graph)} each, {plan.device}, {where(plan, self.context, todo)})"
        )

    def keys(self, candidate: Candidate) -> list[str]:
        """Return the keys of a candidate's runs, corpus by corpus."""
        return [self.graph.key(spec, plan.corpus) for plan, specs in self._specs(candidate) for spec in specs]

    def result(self, failed: Collection[str] = ()) -> SearchResult:
        """Rank the candidates; the test splits are not looked at.

        Args:
            failed: keys of runs that could not be trained. Their candidates are not ranked.

        Raises:
            CorruptRun: a run is missing or damaged. TrainingFailed: a run of the baseline failed, so there is nothing
            to compare the candidates with.
        """
        baseline, *others = self.candidates[0]
        if not {*self.keys(baseline)}.isdisjoint(failed):
            raise TrainingFailed(
                f"{self.definition.baseline.name} could not be trained: there is nothing to compare candidates with"
            )
        base = self._dev(baseline)
        scored = [(each, self._dev(each)) for each in others if {*self.keys(each)}.isdisjoint(failed)]
        gains = [
            Gain(each, dev, tuple(fmean(own) - fmean(of_base) for own, of_base in zip(dev, base, strict=True)))
            for each, dev in ((baseline, base), *scored)
        ]
        return SearchResult(tuple(sorted(gains, key=lambda gain: -gain.mean)))

    @cached_property
    def _keys(self) -> set[str]:
        return {key for each in self.candidates[0] for key in self.keys(each)}

    def _specs(self, candidate: Candidate) -> Iterator[tuple[Plan, list[RunSpec]]]:
        """Yield a candidate's runs by plan. Its arm has other streams on other corpora."""
        for plan, own in zip(self.plans, self.candidates, strict=True):
            trial = next(each.trial for each in own if each.number == candidate.number)
            yield plan, [plan.run_of(trial.arm, trial.protocol, seed) for seed in plan.seeds]

    def _dev(self, candidate: Candidate) -> tuple[tuple[float, ...], ...]:
        """Return F1 on dev, on audio alone, by corpus and seed."""
        runs = [self.context.store.need(key, candidate.words) for key in self.keys(candidate)]
        values = [weighted_f1(run.labels("dev"), run.log_prob("dev", "A")) for run in runs]
        count = len(self.seeds)
        return tuple(tuple(values[i : i + count]) for i in range(0, len(values), count))
