"""Profiles, read from ``profiles.toml``, and the seeds that a user lists in place of a profile's."""

from __future__ import annotations

import math
from dataclasses import dataclass

from replicate.config import folders
from replicate.config.toml import build, known, section
from replicate.errors import BadSeeds, InvalidDefinition
from replicate.training.config import Budget


@dataclass(frozen=True)
class Profile:
    """How much work: a default corpus, seeds, a training budget."""

    name: str
    corpus: str
    seeds: tuple[int, ...]
    budget: Budget


def profile(name: str) -> Profile:
    """The profile of that name.

    Raises:
        InvalidDefinition: unknown, or its section is not well-formed.
    """
    profiles = folders.sections("profiles")
    found_in = profiles[known(name, profiles, "profiles.toml", "profile")]
    where = found_in.where
    content = section(found_in.content, where)
    own = {key: content.pop(key) for key in ("corpus", "seeds") if key in content}
    found = build(Profile, own, where, name=name, budget=build(Budget, content, where))
    if not found.seeds or len(set(found.seeds)) < len(found.seeds):
        raise InvalidDefinition(f"{where}: seeds are none, or repeat")
    budget = found.budget
    if min(budget.epochs, budget.batch, budget.feed_forward) < 1 or min(found.seeds) < 0:
        raise InvalidDefinition(f"{where}: epochs, batch and feed_forward must be 1 at least, seeds 0 at least")
    if not 0 < budget.learning_rate < math.inf or not 0 <= budget.weight_decay < math.inf:
        raise InvalidDefinition(f"{where}: learning_rate must be above 0, weight_decay 0 at least")
    return found


def parse_seeds(text: str) -> tuple[int, ...]:
    """Seeds from "24,25,26", or as many as a single number says, from 24 on (the released code's seed).

    Raises:
        BadSeeds: no numbers, negative, repeated, or none.
    """
    advice = "give numbers with commas, such as 24,25,26, or a single count, such as 5"
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not all(part.isascii() and part.isdigit() and len(part) < 19 for part in parts):
        raise BadSeeds(f"seeds {text!r} are not all whole numbers of a sane size: {advice}")
    numbers = tuple(int(part) for part in parts)
    if len(numbers) == 1 and "," not in text:
        numbers = tuple(range(24, 24 + numbers[0])) if numbers[0] <= 1000 else ()
    if not numbers or len(set(numbers)) < len(numbers):
        raise BadSeeds(f"seeds {text!r} are none, too many, or repeat: {advice}")
    return numbers
