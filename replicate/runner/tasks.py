"""Runs as a task graph: every run once, students after their teachers, and the key of each run, computed once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from replicate.corpus.types import Corpus
from replicate.store.keys import run_key
from replicate.training.config import RunSpec


@dataclass(frozen=True)
class Task:
    """One run on one corpus.

    Attributes:
        key: the run's name in the store.
        corpus: hash of the corpus.
        teachers: keys of the runs that must be in the store first, in the order of ``RunSpec.teachers``.
        fold: title of the fold, such as "fold 2 of 5: Ses02"; "" for the splits of the corpus.
    """

    key: str
    spec: RunSpec
    corpus: str
    teachers: tuple[str, ...]
    fold: str = ""

    @property
    def name(self) -> str:
        """Arm, fold and seed, for progress and errors; with the protocol if it overrides settings."""
        protocol = self.spec.protocol.name
        overridden = "" if protocol.isidentifier() else f" ({protocol})"
        fold = f", {self.fold}" if self.fold else ""
        return f"{self.spec.arm.name}{overridden}{fold}, seed {self.spec.seed}"


@dataclass(frozen=True)
class Program:
    """The runs that one process trains as one program: all of a seed group, or a single run.

    Attributes:
        runs: all runs of the program, in the order of ``RunSpec.seed_group``.
        wanted: the runs among them that were requested. A seed group is always trained as a whole, because its numbers
            depend on its members.
    """

    runs: tuple[Task, ...]
    wanted: tuple[Task, ...]

    @property
    def key(self) -> str:
        """Key of the first run, which names the program and its lock."""
        return self.runs[0].key

    @property
    def corpus(self) -> str:
        """Hash of the corpus."""
        return self.runs[0].corpus

    @property
    def teachers(self) -> set[str]:
        """Keys of the teachers of all runs."""
        return {teacher for task in self.runs for teacher in task.teachers}


class TaskGraph:
    """The runs that are wanted on a device, and their teachers.

    Attributes:
        tasks: tasks by key, every teacher before its students; a run that is requested twice occurs once.
        corpora: corpora by hash.
    """

    def __init__(
        self, wanted: Iterable[tuple[RunSpec, Corpus]], device: str, folds: Mapping[str, str] | None = None
    ) -> None:
        """Collect the runs; ``folds``: titles of folds, by the hash of their corpus."""
        self.device = device
        self._folds = folds or {}
        self.tasks: dict[str, Task] = {}
        self.corpora: dict[str, Corpus] = {}
        self._known: dict[tuple[RunSpec, str], Task] = {}
        for spec, corpus in wanted:
            self._add(spec, corpus)

    def key(self, spec: RunSpec, corpus: Corpus) -> str:
        """Return the key of a run."""
        return self._task(spec, corpus).key

    def all_teachers(self, keys: Iterable[str]) -> frozenset[str]:
        """Return the keys of the teachers of some runs, of the teachers' teachers, and so on."""
        found: set[str] = set()
        waiting = [teacher for key in keys for teacher in self.tasks[key].teachers]
        while waiting:
            key = waiting.pop()
            if key not in found:
                found.add(key)
                waiting += self.tasks[key].teachers
        return frozenset(found)

    def programs(self, tasks: Iterable[Task]) -> list[Program]:
        """Return the programs that train these tasks, in their order."""
        found = []
        for wanted in _by_program(tasks):
            first, corpus = wanted[0].spec, self.corpora[wanted[0].corpus]
            runs = tuple(self._task(spec, corpus) for spec in first.seed_group_specs())
            found.append(Program(runs, tuple(wanted)))
        return found

    def _add(self, spec: RunSpec, corpus: Corpus) -> None:
        self.corpora[corpus.hash] = corpus
        task = self._task(spec, corpus)
        if task.key not in self.tasks:
            for teacher in spec.teachers:
                self._add(teacher, corpus)
            self.tasks[task.key] = task

    def _task(self, spec: RunSpec, corpus: Corpus) -> Task:
        known = self._known.get((spec, corpus.hash))
        if known is None:
            teachers = tuple(self._task(teacher, corpus).key for teacher in spec.teachers)
            key, fold = run_key(spec, corpus, self.device), self._folds.get(corpus.hash, "")
            known = Task(key, spec, corpus.hash, teachers, fold)
            self._known[spec, corpus.hash] = known
        return known


def _by_program(tasks: Iterable[Task]) -> list[list[Task]]:
    """Group tasks by program, in their order: a seed group is one list, every other task a list of its own."""
    found: dict[object, list[Task]] = defaultdict(list)
    for task in tasks:
        found[(replace(task.spec, seed=0), task.corpus) if task.spec.seed_group else task.key].append(task)
    return list(found.values())


def share(tasks: Sequence[Task], corpora: Mapping[str, Corpus], number: int, shares: int) -> list[Task]:
    """Return share ``number`` (from 1) of a task list divided into ``shares`` of about equal cost, always the same.

    Teachers are in one share with their students, and seed groups are whole, so that no share waits for another.
    """
    from scipy.cluster.hierarchy import DisjointSet

    connected = DisjointSet(task.key for task in tasks)
    for group in _by_program(tasks):
        for task in group:
            for other in (group[0].key, *task.teachers):
                connected.merge(task.key, other)
    families: dict[str, list[Task]] = defaultdict(list)
    for task in tasks:
        families[connected[task.key]].append(task)
    costs = {root: sum(cost(task, corpora[task.corpus]) for task in family) for root, family in families.items()}
    found: list[list[str]] = [[] for _ in range(shares)]
    for root in sorted(families, key=lambda root: -costs[root]):
        min(found, key=lambda roots: sum(map(costs.__getitem__, roots))).append(root)
    return [task for task in tasks if connected[task.key] in found[number - 1]]


def cost(task: Task, corpus: Corpus) -> float:
    """Estimate a task's relative training time: epochs, times the encoder's layers by their width and the graph's."""
    arm, spec = task.spec.arm, task.spec
    width = sum(
        arm.hidden if name == spec.projected else corpus.widths.get(name, 0)
        for name in (*arm.streams, *arm.auxiliary_streams)
    )
    return spec.epochs(corpus) * (150 + arm.model.context_layers * (50 + width))
