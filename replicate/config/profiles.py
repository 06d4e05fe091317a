"""Profiles, read from ``profiles.toml``, and the seeds that a user lists in place of a profile's."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from replicate.config import folders
from replicate.config.toml import build, known, section
from replicate.errors import BadSeeds, InvalidDefinition
from replicate.limits import MOST
from replicate.records import FINITE, check_range
from replicate.training.config import Budget

# The profile that only checks that everything runs.
SMOKE = "smoke"


@dataclass(frozen=True)
class Profile:
    """How much is trained: a default corpus, seeds, a training budget."""

    name: str
    corpus: str
    seeds: tuple[int, ...]
    budget: Budget

    def __post_init__(self) -> None:
        if not self.seeds or len(set(self.seeds)) < len(self.seeds) or min(self.seeds) < 0:
            raise InvalidDefinition("seeds must be whole numbers of 0 or more, each once, and at least one")
        if not self.budget.learning_rate > 0:
            raise InvalidDefinition(f"learning_rate = {self.budget.learning_rate} must be above 0")
        try:  # what no record of a run may hold
            check_range(self.budget, 1, MOST, "feed_forward")
            check_range(self.budget, 0, FINITE, "learning_rate", "weight_decay")
        except ValueError as error:
            raise InvalidDefinition(str(error)) from error


def profile(name: str) -> Profile:
    """Return the profile of that name.

    Raises:
        InvalidDefinition: the profile does not exist, or has an unknown key or an impossible value.
    """
    profiles = folders.sections("profiles")
    found = profiles[known(name, profiles, "profiles.toml", "profile")]
    content = section(found.content, found.where)
    own_keys = ("corpus", "seeds")
    own = {key: content.pop(key) for key in own_keys if key in content}
    return build(Profile, own, found.where, name=name, budget=build(Budget, content, found.where, own_keys))


def smoke_note() -> str:
    """Return the sentence that tables and model cards of the profile ``SMOKE`` show.

    Raises:
        InvalidDefinition: the profile's definition is wrong.
    """
    epochs = profile(SMOKE).budget.epochs
    return f"Trained with the {SMOKE} profile ({epochs} epochs): for trying out only, the numbers mean nothing."


def parse_seeds(text: str) -> tuple[int, ...]:
    """Return the seeds in a list such as "24,25,26"; a single number N stands for N seeds from 24 on.

    24 is the seed of the released code.

    Raises:
        BadSeeds: seeds are not whole numbers of 0 or more, are repeated, are more than 1000, or there are none.
    """
    advice = "give numbers with commas, such as 24,25,26, or a single count, such as 5"
    listed = [each.strip() for each in text.split(",") if each.strip()]
    if not all(each.isascii() and each.isdigit() and len(each) < 19 for each in listed):
        raise BadSeeds(f"seeds {text!r} are not all whole numbers below 1e18: {advice}")
    numbers = tuple(map(int, listed))
    if len(numbers) == 1 and "," not in text:
        if numbers[0] > 1000:
            raise BadSeeds(f"{numbers[0]} seeds are more than 1000: {advice}")
        numbers = tuple(range(24, 24 + numbers[0]))
    if not numbers:
        raise BadSeeds(f"seeds {text!r} are none: {advice}")
    repeated = [seed for seed, number in Counter(numbers).items() if number > 1]
    if repeated:
        raise BadSeeds(f"seeds {text!r} repeat {repeated[0]}: {advice}")
    return numbers
