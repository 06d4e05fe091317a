"""Searches, read from ``search.toml``: candidates of several arms that are compared over corpora."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from replicate.config import folders
from replicate.config.arms import arm_in_row, arm_name, arms
from replicate.config.folders import Definition
from replicate.config.grid import Trial, points
from replicate.config.privileged import PAPER, sections
from replicate.config.toml import build, known, section
from replicate.config.toml import sections as array
from replicate.errors import InvalidDefinition
from replicate.rng import permutation
from replicate.training.arm import is_audio
from replicate.training.config import Arm, Protocol


@dataclass(frozen=True)
class Group:
    """An arm of a search with its grid.

    Attributes:
        written: the name or section of the arm as it is written in ``search.toml``, where ``{P}`` may stand in it.
    """

    name: str
    arm: Arm
    written: str | dict[str, Any]
    grid: Definition


@dataclass(frozen=True)
class Search:
    """A section of ``search.toml``.

    Attributes:
        title: title of the table that reports the result.
        rows: arms that this table has as well; every candidate is compared with the first one, the baseline.
        written_rows: their names as they are written.
        seeds: seeds of all candidates; the table needs others.
        finalists: how many of the best candidates of audio alone, and as many of those with privileged streams, are
            trained from more seeds before the choice; 0 chooses at once.
        final_seeds: these seeds, in addition to ``seeds``.
    """

    name: str
    title: str
    rows: tuple[str, ...]
    seeds: tuple[int, ...]
    baseline: Arm
    groups: tuple[Group, ...]
    written_rows: tuple[str, ...]
    finalists: int = 0
    final_seeds: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        every = (*self.seeds, *self.final_seeds)
        if not self.seeds or len(set(every)) < len(every) or min(every) < 0:
            raise InvalidDefinition("seeds and final_seeds must be different whole numbers of 0 or more")
        if self.finalists < 0 or bool(self.finalists) != bool(self.final_seeds):
            raise InvalidDefinition("finalists and final_seeds go with each other: set both or none")


@dataclass(frozen=True)
class Candidate:
    """A trial of one group; number 0 is the baseline, which belongs to none."""

    trial: Trial
    group: Group | None = None

    @property
    def number(self) -> int:
        """Its place among the candidates, in the order in which they are drawn."""
        return self.trial.number

    @property
    def words(self) -> str:
        """The arm and what differs from it, such as ``COGMEN-Mask: masking.unit=dialogue``."""
        if self.group is None:
            return f"{self.trial.arm.name}: {self.trial.words}"
        return f"{self.group.name}: {self.trial.words}"

    @property
    def privileged(self) -> bool:
        """Whether its training uses a stream other than audio."""
        return not all(map(is_audio, self.trial.arm.required_streams))


def searches() -> list[str]:
    """Return the names of all searches."""
    return list(folders.sections("search"))


def search(name: str, privileged: str = PAPER) -> Search:
    """Return the search of that name; ``privileged`` has the letters of the privileged streams.

    Raises:
        InvalidDefinition: an unknown or missing key, or an impossible value. BadPlugin: see ``arms``.
    """
    plain = folders.sections("search")
    known(name, plain, "search.toml", "search")
    filled = sections("search", privileged)[name]
    where = filled.where
    known_arms = arms(privileged)
    if name in known_arms:
        raise InvalidDefinition(f"{where}: there is an arm of this name; rename the search")
    if not re.fullmatch(r"[\w.+ -]+", name) or name.startswith("."):
        raise InvalidDefinition(f"{where}: names become file names: letters, digits, spaces and . _ + - only")
    content = section(filled.content, where)
    listed = array(content.pop("candidates", []), f"{where}, candidates")
    if not listed:
        raise InvalidDefinition(f"{where}: a search needs [[{name}.candidates]]")
    written = plain[name].content
    groups = tuple(
        _group(each, own, f"{where}, candidates {number}", privileged)
        for number, (each, own) in enumerate(zip(listed, written["candidates"], strict=True), 1)
    )
    rows = content.get("rows")
    if not isinstance(rows, list) or not rows:
        raise InvalidDefinition(f"{where}, key 'rows': it needs a list of arms, the baseline first")
    for each in rows:
        arm_name(str(each), known_arms, f"{where}, rows")
    baseline = known_arms[rows[0]]
    _check_arm(baseline, f"{where}, rows")
    given = {"name": name, "baseline": baseline, "groups": groups, "written_rows": tuple(written["rows"])}
    return build(Search, content, where, ("candidates",), **given)


def _group(content: dict[str, Any], written: dict[str, Any], where: str, privileged: str) -> Group:
    for key in content:
        known(key, ("name", "arm", "grid"), where, "key")
    for key in ("name", "arm"):
        if key not in content:
            raise InvalidDefinition(f"{where}: key {key!r} is missing")
    name, value = str(content["name"]), content["arm"]
    where = f"{where} ({name})"
    if isinstance(value, dict):
        arm = arm_in_row(f"search: {name}", value, f"{where}, arm", privileged)
    else:
        known_arms = arms(privileged)
        arm = known_arms[arm_name(str(value), known_arms, f"{where}, arm")]
    _check_arm(arm, where)
    grid = Definition(f"{where}, grid", section(content.get("grid", {}), f"{where}, grid"))
    return Group(name, arm, written["arm"], grid)


def _check_arm(arm: Arm, where: str) -> None:
    """Refuse an arm whose epochs are not chosen on audio alone, on which candidates are compared."""
    if arm.select != "A":
        raise InvalidDefinition(f"{where}: arm {arm.name} has select = {arm.select!r}: a search is for arms with 'A'")


def candidates(
    found: Search, asked: Protocol, count: int, privileged: str = PAPER
) -> tuple[tuple[Candidate, ...], int]:
    """Return the baseline and ``count`` other candidates, and how many others there are.

    Every group gives one candidate at a time, its unchanged arm first and then points of its grid in a random order
    that is always the same; so a larger count begins with the same candidates. 0 takes all.

    Raises:
        InvalidDefinition: a point of a grid is not a valid arm or protocol.
    """
    queues = [_queue(group, asked, number, privileged) for number, group in enumerate(found.groups)]
    baseline = Candidate(Trial(0, {}, found.baseline.resolved(asked.model), asked))
    distinct: dict[tuple[Arm, Protocol], Candidate] = {_plain(baseline): baseline}
    for each in filter(None, itertools.chain.from_iterable(itertools.zip_longest(*queues))):
        distinct.setdefault(_plain(each), each)
    every = list(distinct.values())
    chosen = every[: count + 1] if count else every
    numbered = (replace(each, trial=replace(each.trial, number=number)) for number, each in enumerate(chosen))
    return tuple(numbered), len(every) - 1


def _queue(group: Group, asked: Protocol, number: int, privileged: str) -> Sequence[Candidate]:
    arm = group.arm.resolved(asked.model)
    others = points(arm, group.grid, asked, privileged)
    order = permutation(len(others), 0, f"search {number}")
    return [Candidate(trial, group) for trial in (Trial(0, {}, arm, asked), *(others[i] for i in order))]


def _plain(candidate: Candidate) -> tuple[Arm, Protocol]:
    """Return what decides its numbers: arm and protocol without their names."""
    trial = candidate.trial
    return replace(trial.arm, name="", distillation=trial.arm.method), replace(trial.protocol, name="")
