"""Runs that failed: what their training raised, as plain text that can be sent between processes."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import dataclass

from replicate.errors import ReplicateError
from replicate.registry import plugin_modules
from replicate.runner.tasks import Task

_LONGEST_MESSAGE = 300


@dataclass(frozen=True)
class Failure:
    """The exception that ended the training of a program.

    Attributes:
        kind: the class of the exception, such as "ValueError", or the kind of an error of this package.
        message: one line of printable characters.
        plugin: the plugin module in which it was raised, with file and line; empty where it was raised elsewhere.
        traceback: for the log file.
    """

    kind: str
    message: str
    plugin: str = ""
    traceback: str = ""

    @classmethod
    def of(cls, error: Exception) -> Failure:
        """Describe an exception as text. The exception itself may hold GPU memory, or classes of a plugin."""
        kind = error.kind if isinstance(error, ReplicateError) else type(error).__name__
        message = " ".join("".join(c if c.isprintable() else " " for c in str(error)).split())[:_LONGEST_MESSAGE]
        text = "".join(traceback.format_exception(error))
        return cls(kind, message, _plugin(error), text)


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

    def __str__(self) -> str:
        where = f" (plugin {self.plugin})" if self.plugin else ""
        return f"{self.name} failed: {self.kind}: {self.message}{where}"


def failed(tasks: Sequence[Task], failure: Failure) -> list[FailedRun]:
    """Return the failed runs of a program whose training raised an exception."""
    return [FailedRun(task.key, task.name, failure.kind, failure.message, failure.plugin) for task in tasks]


def skipped(task: Task, teacher: FailedRun) -> FailedRun:
    """Return the failure of a student that was not trained, because its teacher could not be trained."""
    return FailedRun(task.key, task.name, "teacher failed", f"its teacher {teacher.name} could not be trained")


def _plugin(error: Exception) -> str:
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        module = frame.f_globals.get("__name__")
        if module in plugin_modules():
            return f"{module}, {frame.f_code.co_filename}:{line}"
    return ""
