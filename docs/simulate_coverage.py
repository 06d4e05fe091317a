"""Simulate how often the intervals of ``replicate.results.estimate`` hold the true value: `make coverage`.

Predictions are drawn from a model with effects of seeds, dialogues and utterances, so that the true score of an arm is
known: that of infinitely many dialogues, averaged over seeds. The table is docs/results/coverage.md, and
docs/statistics.md explains it.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from replicate.files import write_text
from replicate.results.estimate import Estimate, estimate
from replicate.results.resampling import Resampled, grouped, resample
from replicate.rng import derived_seed

TABLE = Path(__file__).parent / "results" / "coverage.md"
REPETITIONS = 2_000
# Of designs in which speakers have several dialogues.
REPETITIONS_BY_SPEAKER = 500
CLASSES = 4
SEEDS = 10
# The mean margin by which the true class leads, in units of the logits' noise; "weaker" is an arm with lower scores.
STRENGTH, WEAKER = 1.6, 1.2
# The share of a dialogue's variance that is its speaker's; close to that of differences between arms on RAVDESS.
SPEAKER = 0.5


@dataclass(frozen=True)
class Population:
    """Where dialogues are drawn from, and how much their predictions differ.

    Attributes:
        lengths: "varied": log-normal with median 29, from 2 to 76 utterances; otherwise their number.
        shares: mean shares of the classes.
        concentration: of the Dirichlet distribution of a dialogue's shares; infinite if all dialogues have the mean.
        dialogue, interaction, utterance: deviation of the margin by dialogue (the same for all arms), by arm and
            dialogue, and by utterance.
        seed, seed_dialogue: deviation of an arm's margin by seed, and by seed and dialogue.
        bias, dialogue_bias: deviation of each class's logit by seed, and by dialogue.
    """

    name: str
    lengths: int | None
    shares: tuple[float, ...]
    concentration: float
    dialogue: float = 0.6
    interaction: float = 0.3
    utterance: float = 1.0
    seed: float = 0.12
    seed_dialogue: float = 0.3
    bias: float = 0.25
    dialogue_bias: float = 0.4


# Shares, lengths and concentration are those of IEMOCAP's four classes and of RAVDESS.
LONG = Population("long dialogues of few emotions (as IEMOCAP)", None, (0.13, 0.24, 0.38, 0.25), 1.07)
SHORT = Population("14 utterances, balanced (as RAVDESS)", 14, (0.16, 0.28, 0.28, 0.28), np.inf)


@dataclass(frozen=True)
class Design:
    """What is estimated, from how much.

    Attributes:
        strengths: of each arm; with two, the estimate is their difference.
        shared: correlation of the effects of the arms' seeds: 0 for independent seeds, more for pairs.
        dialogues: in the test split of each fold.
        per_speaker: how many dialogues each speaker has; the seed of the simulation does not depend on it.
    """

    name: str
    population: Population
    dialogues: int
    strengths: tuple[float, ...]
    shared: float = 0.0
    seeds: int = SEEDS
    folds: int = 1
    per_speaker: int = field(default=1, repr=False)

    @property
    def most(self) -> int:
        """How often it is simulated at most."""
        return REPETITIONS if self.per_speaker == 1 else REPETITIONS_BY_SPEAKER

    @property
    def equal(self) -> bool:
        """Whether the true difference is 0, so that every p at or below 0.05 is a false positive."""
        return len(self.strengths) == 2 and self.strengths[0] == self.strengths[1]


@dataclass(frozen=True, eq=False)
class Drawn:
    """A cell of drawn predictions."""

    resampled: Resampled
    dialogues: tuple[str, ...]
    runs: tuple[str, ...]
    teachers: frozenset[str] = field(default_factory=frozenset)


def designs() -> Iterator[Design]:
    """Yield all designs of the table."""
    for population in (LONG, SHORT):
        for dialogues in (12, 20, 31):
            yield Design("one cell", population, dialogues, (STRENGTH,))
            for second in (STRENGTH, WEAKER):
                pair = (STRENGTH, second)
                yield Design("two arms", population, dialogues, pair)
                yield Design("one arm in two contexts", population, dialogues, pair, 0.7)
                yield Design("student and teacher", population, dialogues, pair, 0.3)
    for name, strengths in (("one cell", (STRENGTH,)), ("two arms", (STRENGTH, STRENGTH))):
        for seeds in (3, 5):
            yield Design(name, LONG, 31, strengths, seeds=seeds)
            yield Design(name, SHORT, 12, strengths, seeds=seeds)
        yield Design(f"{name}, 5 folds", LONG, 30, strengths, seeds=3, folds=5)
        yield Design(f"{name}, 5 folds", SHORT, 10, strengths, seeds=3, folds=5)
    yield Design("one cell, by speaker", SHORT, 12, (STRENGTH,), per_speaker=2)
    for second in (STRENGTH, WEAKER):
        pair = (STRENGTH, second)
        yield Design("two arms, by speaker", SHORT, 12, pair, per_speaker=2)
        yield Design("one arm in two contexts, by speaker", SHORT, 12, pair, 0.7, per_speaker=2)


def weighted_f1(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return weighted F1 of how often each class is true, predicted, and both: (..., 3 * C) -> (...).

    ``replicate.metrics`` computes it from more counts, which would only take longer here.
    """
    true, predicted, correct = (counts[..., i * CLASSES : (i + 1) * CLASSES] for i in range(3))
    shares = 2 * correct * true / np.maximum(true + predicted, 1e-12)
    return shares.sum(-1) / true.sum(-1)


def draw(design: Design, generator: np.random.Generator, dialogues: int, exact: bool = False) -> NDArray[np.float64]:
    """Draw dialogues, seeds and predictions of one fold, and return the counts of ``weighted_f1``.

    With ``exact`` the counts are expected values given the logits.

    Shapes:
        returns: (arms, seeds, dialogues, 3 * C).
    """
    source, arms, seeds = design.population, len(design.strengths), design.seeds
    normal = generator.normal

    def by_dialogue(scale: float, *shape: int, axis: int = -1) -> NDArray[np.float64]:
        """Return effects of dialogues along an axis, in part the same for all dialogues of a speaker."""
        found = normal(0, scale, shape)
        if design.per_speaker == 1:
            return found
        speakers = np.moveaxis(normal(0, scale, shape), axis, 0)[:: design.per_speaker]
        same = np.moveaxis(np.repeat(speakers, design.per_speaker, 0), 0, axis)
        return np.sqrt(1 - SPEAKER) * found + np.sqrt(SPEAKER) * same

    if source.lengths is None:
        lengths = np.clip(np.exp(normal(np.log(29), 0.72, dialogues)).round().astype(int), 2, 76)
    else:
        lengths = np.full(dialogues, source.lengths)
    shares = np.tile(source.shares, (dialogues, 1))
    if np.isfinite(source.concentration):
        shares = generator.dirichlet(source.concentration * np.array(source.shares), dialogues)
    of = np.repeat(np.arange(dialogues), lengths)
    true = np.minimum((generator.random((len(of), 1)) > shares.cumsum(1)[of]).sum(1), CLASSES - 1)
    margin = by_dialogue(source.dialogue, dialogues)[of] + normal(0, source.utterance, len(of))
    logits = by_dialogue(source.dialogue_bias, dialogues, CLASSES, axis=0)[of]
    own = by_dialogue(source.interaction, arms, dialogues)[..., of]
    seed = _paired(normal(0, source.seed, (arms + 1, seeds)), design.shared)
    seed_dialogue = _paired(by_dialogue(source.seed_dialogue, arms + 1, seeds, dialogues), design.shared)
    bias = _paired(normal(0, source.bias, (arms + 1, seeds, CLASSES)), design.shared)
    counts = np.zeros((arms, seeds, dialogues, 3, CLASSES))
    starts = np.r_[0, lengths.cumsum()[:-1]]
    right = np.eye(CLASSES)[true]
    counts[..., 0, :] = np.add.reduceat(right, starts)
    for arm, strength in enumerate(design.strengths):
        for s in range(seeds):
            lead = strength + margin + own[arm] + seed[arm, s] + seed_dialogue[arm, s][of]
            scores = logits + bias[arm, s] + right * lead[:, None]
            if exact:
                chosen = np.exp(scores - scores.max(1, keepdims=True))
                chosen /= chosen.sum(1, keepdims=True)
            else:
                chosen = np.eye(CLASSES)[(scores + generator.gumbel(size=scores.shape)).argmax(1)]
            counts[arm, s, :, 1] = np.add.reduceat(chosen, starts)
            counts[arm, s, :, 2] = np.add.reduceat(chosen * right, starts)
    return counts.reshape(arms, seeds, dialogues, -1)


def _paired(effects: NDArray[np.float64], shared: float) -> NDArray[np.float64]:
    """Mix the last of the effects into the others, so that these correlate by ``shared``; drop it."""
    return np.sqrt(1 - shared) * effects[:-1] + np.sqrt(shared) * effects[-1]


@cache
def truth(population: Population, strength: float) -> float:
    """Return the true score of an arm: the mean over 1,000 seeds, of expected counts of 100,000 dialogues in all."""
    generator = np.random.default_rng(derived_seed(0, f"truth of {population.name} {strength}"))
    reference = Design("reference", population, 2_000, (strength,), seeds=20)
    scores = [weighted_f1(draw(reference, generator, 2_000, exact=True).sum(2)) for _ in range(50)]
    return float(np.mean(scores))


def simulated(design: Design, generator: np.random.Generator) -> Estimate:
    """Return the estimate of one simulated experiment."""
    counts = np.concatenate([draw(design, generator, design.dialogues) for _ in range(design.folds)], 2)
    fold = np.repeat(np.arange(design.folds), design.dialogues)
    groups = np.arange(len(fold)) // design.per_speaker
    dialogues = tuple(map(str, range(len(fold))))
    found = [resample(*(grouped(each, fold, groups) or (each, fold)), weighted_f1) for each in counts]
    cells = [
        Drawn(each, dialogues, ("shared",) if design.shared else (f"arm {arm}",)) for arm, each in enumerate(found)
    ]
    return estimate(list(zip(cells, (1.0, -1.0), strict=False)))


@dataclass(frozen=True)
class Coverage:
    """Shares of the repetitions.

    Attributes:
        held: the interval held the true value. below, above: it lay below, or above the true value.
        width: mean width of the interval.
    """

    design: Design
    repetitions: int
    held: float
    below: float
    above: float
    width: float

    @property
    def error(self) -> float:
        """The standard error of ``held``."""
        return float(np.sqrt(self.held * (1 - self.held) / self.repetitions))


def coverage(design: Design, repetitions: int = REPETITIONS) -> Coverage:
    """Simulate one design."""
    generator = np.random.default_rng(derived_seed(0, f"coverage of {design}"))
    expected = 0.0 if design.equal else truth(design.population, design.strengths[0])
    if len(design.strengths) == 2 and not design.equal:
        expected -= truth(design.population, design.strengths[1])
    found = [simulated(design, generator) for _ in range(repetitions)]
    intervals = np.array([each.ci95 for each in found])
    below, above = float((intervals[:, 1] < expected).mean()), float((intervals[:, 0] > expected).mean())
    rejected = float(np.mean([each.p(expected) <= 0.05 for each in found]))
    assert np.isclose(rejected, below + above), "p values and intervals disagree"
    width = float((intervals[:, 1] - intervals[:, 0]).mean())
    return Coverage(design, repetitions, 1 - below - above, below, above, width)


def table(found: list[Coverage]) -> str:
    """Return the table in Markdown."""
    lines = [
        "| what | true difference | dialogues | seeds | test dialogues | 95 % intervals that hold the true value "
        "| too low, too high | mean width | false positives at 0.05 |",
        "|---|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for each in found:
        design = each.design
        pair = len(design.strengths) == 2
        difference = "–" if not pair else "0" if design.equal else "not 0"
        tested = f"{design.folds} × {design.dialogues}" if design.folds > 1 else f"{design.dialogues}"
        if design.per_speaker > 1:
            tested += f" of {design.dialogues // design.per_speaker} speakers"
        lines.append(
            f"| {design.name} | {difference} | {design.population.name} | {design.seeds} | {tested} "
            f"| {each.held:.1%} ± {each.error:.1%} | {each.below:.1%}, {each.above:.1%} | {each.width:.3f} "
            f"| {f'{1 - each.held:.1%}' if design.equal else '–'} |"
        )
    most, least = max(each.repetitions for each in found), min(each.repetitions for each in found)
    fewer = f" ({least:,} of those by speaker)" if least < most else ""
    note = f"{most:,} repetitions of each line{fewer}; ± is one standard error of the simulation."
    return "\n".join([*lines, "", note]) + "\n"


def main() -> None:
    """Simulate all designs and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=REPETITIONS)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--out", type=Path, default=TABLE, help="file to write")
    options = parser.parse_args()
    with ProcessPoolExecutor(options.jobs) as pool:
        repetitions = [min(options.repetitions, design.most) for design in designs()]
        found = list(pool.map(coverage, designs(), repetitions))
    write_text(options.out, table(found))


if __name__ == "__main__":
    main()
