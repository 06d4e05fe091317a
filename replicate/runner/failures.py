"""Runs that failed: what their training raised, as plain text that can be sent between processes."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from replicate.errors import ReplicateError
from replicate.registry import plugin_modules
from replicate.runner.tasks import Task
from replicate.store.keys import optional_classes
from replicate.training.config import RunSpec

_LONGEST_MESSAGE = 300


class WorkerError(Exception):
    """The traceback of an exception that another process raised, as text."""

    def __str__(self) -> str:
        return f"raised in a worker process\n\n{self.args[0]}"


@dataclass(frozen=True)
class Failure:
    """The exception that ended the training of a program.

    Attributes:
        kind: the class of the exception, such as "ValueError", or the kind of an error of this package.
        message: one line of printable characters.
        plugin: the plugin in which it was raised, with file and line, or else the one that the arm or a teacher uses;
            empty without any.
        traceback: for the log file.
        cause: the exception, without the variables of its frames; in another process a ``WorkerError``.
    """

    kind: str
    message: str
    plugin: str = ""
    traceback: str = ""
    cause: BaseException | None = field(default=None, compare=False, repr=False)

    @classmethod
    def of(cls, error: BaseException, spec: RunSpec) -> Failure:
        """Describe an exception that ended the training of a run; the variables of its frames are freed."""
        kind = error.kind if isinstance(error, ReplicateError) else type(error).__name__
        message = " ".join("".join(c if c.isprintable() else " " for c in str(error)).split())[:_LONGEST_MESSAGE]
        text = "".join(traceback.format_exception(error))
        plugin = _raised_in(error) or _used_by(spec)
        traceback.clear_frames(error.__traceback__)  # they may hold GPU memory
        return cls(kind, message, plugin, text, error)

    def __getstate__(self) -> dict[str, Any]:
        # The exception itself may be of a class that cannot be pickled.
        return vars(self) | {"cause": WorkerError(self.traceback)}


@dataclass(frozen=True)
class FailedRun:
    """One run that could not be trained, because its training raised or because a teacher's did.

    Attributes:
        name: arm and seed.
        kind: a few words for the cell of a table.
    """

    key: str
    name: str
    kind: str
    message: str
    plugin: str = ""

    @property
    def reason(self) -> str:
        """Kind, message and plugin."""
        return f"{self.kind}: {self.message}" + (f" (plugin {self.plugin})" if self.plugin else "")

    def __str__(self) -> str:
        return f"{self.name} failed: {self.reason}"


class FailedRuns(list[FailedRun]):
    """The runs that failed.

    Attributes:
        cause: the exception of the first one.
    """

    def __init__(self, runs: Iterable[FailedRun] = (), cause: BaseException | None = None) -> None:
        super().__init__(runs)
        self.cause = cause


def failed(tasks: Sequence[Task], failure: Failure) -> list[FailedRun]:
    """Return the failed runs of a program whose training raised an exception."""
    # A message of this package may begin with the run's name.
    return [
        FailedRun(
            task.key,
            task.name,
            failure.kind,
            failure.message.removeprefix(f"{task.spec.arm.name}, seed {task.spec.seed}: "),
            failure.plugin,
        )
        for task in tasks
    ]


def skipped(task: Task, teacher: FailedRun) -> FailedRun:
    """Return the failure of a student that was not trained, because its teacher could not be trained."""
    name = _without_seed(teacher)[0]
    return FailedRun(task.key, task.name, "teacher failed", f"its teacher {name} could not be trained")


def by_cause(runs: Iterable[FailedRun]) -> list[str]:
    """Return a line for each arm and reason, with the seeds."""
    groups: dict[tuple[str, str], list[FailedRun]] = {}
    for run in runs:
        groups.setdefault((_without_seed(run)[0], run.reason), []).append(run)
    return [
        str(group[0]) if len(group) == 1 else f"{name}: {len(group)} seeds ({_ranges(group)}): {reason}"
        for (name, reason), group in groups.items()
    ]


def _without_seed(run: FailedRun) -> tuple[str, int]:
    name, _, seed = run.name.rpartition(", seed ")
    return name, int(seed)


def _ranges(runs: Iterable[FailedRun]) -> str:
    """Return the seeds of runs as in ``24-27, 30``."""
    ranges: list[list[int]] = []
    for seed in sorted(_without_seed(run)[1] for run in runs):
        if ranges and seed == ranges[-1][-1] + 1:
            ranges[-1].append(seed)
        else:
            ranges.append([seed])
    return ", ".join(f"{each[0]}-{each[-1]}" if len(each) > 1 else str(each[0]) for each in ranges)


def _raised_in(error: BaseException) -> str:
    """Return the innermost plugin that an exception passed through, with file and line."""
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        module = frame.f_globals.get("__name__")
        if module in plugin_modules():
            return f"{module}, {frame.f_code.co_filename}:{line}"
    return ""


def _used_by(spec: RunSpec) -> str:
    """Return the first plugin that a run's arm or one of its teachers uses, with its file."""
    for cls in optional_classes(spec):
        if cls.__module__.partition(".")[0] != "replicate":
            return f"{cls.__module__}, {getattr(sys.modules.get(cls.__module__), '__file__', None) or 'a notebook'}"
    return ""
