"""Runs whose model has feed-forward layers of another width than the profile's, and than those of its teachers."""

from __future__ import annotations

from dataclasses import dataclass, replace

from replicate.training.config import RunSpec


@dataclass(frozen=True)
class ResizedRun(RunSpec):
    """A run whose teachers have feed-forward layers of another width than its own, which is in its budget.

    A class of its own, so that the keys of all other runs, which hold every field of ``RunSpec``, stay as they are.

    Attributes:
        teacher_feed_forward: width of the hidden layers in the context extractor of its teachers, and of theirs.
    """

    teacher_feed_forward: int = 0

    @property
    def teachers(self) -> tuple[RunSpec, ...]:
        """The runs that must be complete before this one, the joint teacher's first."""
        budget = replace(self.budget, feed_forward=self.teacher_feed_forward)
        return tuple(
            RunSpec(arm, self.protocol, budget, self.seed, self.precision, self.seed_group) for arm in self.arm.teachers
        )


def resized(spec: RunSpec, own: int | None, of_teachers: int | None) -> RunSpec:
    """Return a run with feed-forward layers of these widths; None leaves that of the profile."""
    profile = spec.budget.feed_forward
    found = replace(spec, budget=replace(spec.budget, feed_forward=own or profile))
    teachers = of_teachers or profile
    if not spec.arm.teachers or teachers == found.budget.feed_forward:
        return found
    return ResizedRun(found.arm, found.protocol, found.budget, found.seed, found.precision, found.seed_group, teachers)
