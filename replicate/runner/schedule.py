"""The order in which programs start: teachers before students, and no student of a teacher that failed."""

from __future__ import annotations

import heapq
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Literal

from replicate.runner import failures
from replicate.runner.failures import FailedRun, FailedRuns, Failure
from replicate.runner.tasks import Program
from replicate.store.locks import Owner

log = logging.getLogger("replicate")


@dataclass(frozen=True)
class Held:
    """Another process is training a program; ``owner`` is None if it is unknown which."""

    owner: Owner | None


# How training a program ended; True when all its runs are in the store.
Outcome = Failure | Held | Literal[True]
_UNKNOWN = "another process"


class Schedule:
    """Programs that are still to be trained; of those that may start, the first in the given order starts first.

    A teacher that is not among the programs must be in the store already.
    """

    def __init__(self, programs: Sequence[Program]) -> None:
        self._programs = list(programs)
        self._number = {program.key: number for number, program in enumerate(programs)}
        made_by = {task.key: number for number, program in enumerate(programs) for task in program.runs}
        self._sorter = TopologicalSorter(
            {
                number: {made_by[key] for key in program.teachers if key in made_by}
                for number, program in enumerate(programs)
            }
        )
        self._sorter.prepare()
        # How often a program was postponed, and its number: those that another process trains are tried last.
        self._ready: list[tuple[int, int]] = []
        self._postponed = [0] * len(programs)
        self._told: dict[str, Owner | str] = {}
        self._failures: dict[int, Failure] = {}
        self._complete: set[int] = set()
        self._collect()

    def __len__(self) -> int:
        """How many programs may start now."""
        return len(self._ready)

    def start(self) -> Program:
        """Take the next program that may start."""
        return self._programs[heapq.heappop(self._ready)[1]]

    def finish(self, program: Program, outcome: Outcome) -> None:
        """Record how a started program ended."""
        number = self._number[program.key]
        if isinstance(outcome, Held):
            self._postponed[number] += 1
            self._tell(program, outcome.owner or _UNKNOWN)
            heapq.heappush(self._ready, (self._postponed[number], number))
        elif outcome is True:
            self._complete.add(number)
            self._sorter.done(number)
            self._collect()
        else:
            self._failures[number] = outcome
            for run in failures.failed(program.wanted, outcome):
                log.info("%s", run)
            log.debug("%s", outcome.traceback)

    def failed(self) -> FailedRuns:
        """Return the runs that failed, and the students that were skipped because a teacher failed."""
        found: dict[str, FailedRun] = {}
        for number, program in enumerate(self._programs):
            if number in self._failures:
                runs = failures.failed(program.runs, self._failures[number])
            elif number not in self._complete:
                # Teachers come first, so it is known here which of them failed or were skipped.
                teacher = next(found[key] for key in sorted(program.teachers) if key in found)
                runs = [failures.skipped(task, teacher) for task in program.runs]
            else:
                continue
            found |= {run.key: run for run in runs}
        wanted = {task.key for program in self._programs for task in program.wanted}
        cause = self._failures[min(self._failures)].cause if self._failures else None
        return FailedRuns((run for key, run in found.items() if key in wanted), cause)

    def _tell(self, program: Program, owner: Owner | str) -> None:
        """Say once who trains a program that is waited for: everything else has been started when it is tried again."""
        if self._postponed[self._number[program.key]] > 1 and self._told.get(program.key) != owner:
            self._told[program.key] = owner
            log.info("waiting for %s, which is trained by %s", program.wanted[0].name, owner)

    def _collect(self) -> None:
        for number in self._sorter.get_ready():
            heapq.heappush(self._ready, (0, number))
