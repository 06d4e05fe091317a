"""How many seeds or test dialogues would decide a comparison that is open."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, replace

from replicate.results.estimate import Component, Estimate, critical

# Probability with which a comparison of the needed size is decided, if the true value is the estimated one.
POWER = 0.8
MOST_SEEDS, MOST_DIALOGUES = 1_000, 10_000


@dataclass(frozen=True)
class Needed:
    """A size that would decide a comparison; both numbers are None where no reasonable size would.

    Attributes:
        seeds: None where the present number is enough. dialogues: of the test split; None likewise.
        by_speaker: whether ``dialogues`` is a number of speakers, see ``Estimate``.
    """

    seeds: int | None = None
    dialogues: int | None = None
    by_speaker: bool = False


def needed(found: Estimate, distance: float, level: float) -> Needed:
    """Return the size that shows at ``level`` that the true value is ``distance`` away from another one.

    More seeds come first. Where dialogues alone make the estimate too uncertain, no number of seeds helps, and more
    test dialogues are given; where neither alone is enough, both. Variances are taken as estimated.
    """
    if found.by_seeds is None:
        return Needed(2)
    n, dialogues = found.n, found.dialogues

    def enough(seeds: float, tested: float) -> bool:
        larger = at(found, seeds, tested)
        error = math.sqrt(larger.variance or 0.0)
        return distance > 0 and distance >= (critical(level, larger.df) + critical(2 * (1 - POWER), math.inf)) * error

    seeds = _first(n, MOST_SEEDS, lambda size: enough(size, dialogues))
    if seeds is not None:
        return Needed(_rounded(seeds))
    if not dialogues:
        return Needed()
    tested = _first(dialogues, MOST_DIALOGUES, lambda size: enough(n, size))
    if tested is not None:
        return Needed(dialogues=_rounded(tested), by_speaker=found.by_speaker)
    times = _first(1, min(MOST_SEEDS // n, MOST_DIALOGUES // dialogues), lambda k: enough(k * n, k * dialogues))
    return Needed() if times is None else Needed(_rounded(times * n), _rounded(times * dialogues), found.by_speaker)


def at(found: Estimate, seeds: float, dialogues: float) -> Estimate:
    """Return what the estimate would be with other numbers of seeds and dialogues.

    The variance is a / seeds + b / dialogues + c / (seeds · dialogues): due to seeds, to dialogues, and to both.
    """
    assert found.by_seeds is not None
    more = seeds / found.n
    df = found.by_seeds.df * (seeds - 1) / (found.n - 1)
    if found.by_dialogues is None:
        return replace(found, n=int(seeds), by_seeds=Component(found.by_seeds.variance / more, df))
    longer = dialogues / found.dialogues
    both = found.interaction / (more * longer)
    own = max(0.0, found.by_seeds.variance - found.interaction) / more
    other = max(0.0, found.by_dialogues.variance - found.interaction) / longer
    return replace(
        found,
        n=int(seeds),
        dialogues=int(dialogues),
        by_seeds=Component(own + both, df),
        by_dialogues=Component(other + both, found.by_dialogues.df * longer),
        interaction=both,
    )


def _first(least: int, most: int, enough: Callable[[int], bool]) -> int | None:
    """Return the smallest size from ``least`` to ``most`` that is enough; more is never worse."""
    sizes = range(least, most + 1)
    place = bisect_left(sizes, True, key=enough)
    return sizes[place] if place < len(sizes) else None


def _rounded(size: int) -> int:
    """Round up to two digits: the variances are estimates."""
    step = 10 ** max(0, len(str(size)) - 2)
    return -(-size // step) * step
