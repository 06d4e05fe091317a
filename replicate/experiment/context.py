"""Where and how a command trains: its store, its outputs, this machine's processes or a cluster."""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from replicate.config import privileged
from replicate.errors import BadShare, TrainingFailed
from replicate.experiment.plan import Plan
from replicate.experiment.results_folder import corpus_hash
from replicate.files import cut_name
from replicate.runner import local
from replicate.runner import ray as ray_cluster
from replicate.runner.failures import FailedRun, by_cause
from replicate.runner.progress import ProgressCallback
from replicate.runner.ray import Cluster
from replicate.runner.tasks import Task, TaskGraph, share
from replicate.store.store import Store


@dataclass(frozen=True)
class Training:
    """Outcome of training.

    Attributes:
        seconds: wall time.
        failed: runs whose training raised an exception, and the students that were skipped because of them.
        cause: the first of these exceptions.
    """

    seconds: float
    failed: tuple[FailedRun, ...] = ()
    cause: BaseException | None = None

    def require_complete(self) -> None:
        """Raise an error if some runs failed.

        Raises:
            TrainingFailed: naming all runs that failed. Its ``__cause__`` is the first exception.
        """
        if self.failed:
            runs = "run was" if len(self.failed) == 1 else "runs were"
            raise TrainingFailed(
                f"{len(self.failed)} {runs} not trained: {'; '.join(by_cause(self.failed))}. All others are complete; "
                "the same command tries again, and -v prints the traceback"
            ) from self.cause


@dataclass(frozen=True)
class CommandContext:
    """Where and how a command trains; none of it changes a number.

    Attributes:
        jobs: number of processes on this machine.
        out: folder of all outputs.
        cluster: Ray cluster to train on; None trains on this machine.
    """

    jobs: int
    out: Path
    store: Store
    cluster: Cluster | None = None

    def folder(self, plan: Plan) -> Path:
        """Return the folder of a plan's tables, figures and manifest."""
        # A corpus file may have any name; only a plain one may become a folder.
        corpus = cut_name(re.sub(r"[^\w.-]+", "-", plan.corpus.name).strip(".-") or "corpus")
        kind = re.sub(r"[^\w.+,=-]+", "-", f"{plan.profile.name}-{plan.protocol.name}")
        kind += ("-keep-dropped" if plan.keep_dropped else "") + ("-bf16" if plan.precision == "bf16" else "")
        # Only a choice that is not the corpus's own gets a folder of its own.
        kind += "" if plan.privileged == privileged.default(plan.corpus) else f"-privileged-{plan.privileged_choice}"
        kind = cut_name(kind + (f"-folds-{plan.folds}" if plan.folds else ""))
        # Two corpora may share a name; the second must not overwrite the tables of the first.
        if corpus_hash(self.out / corpus / kind) not in (None, plan.corpus.hash):
            corpus = f"{corpus}-{plan.corpus.hash[:8]}"
        return self.out / corpus / kind

    def missing(
        self, graph: TaskGraph, repair: bool = False, remove: bool = True, among: Collection[str] | None = None
    ) -> list[Task]:
        """Return the runs that are still to be trained; see ``Store.missing``.

        Args:
            among: keys of the runs to look at; None looks at all.

        Raises:
            CorruptRun: naming every damaged folder, without ``repair``.
        """
        keys = [key for key in graph.tasks if among is None or key in among]
        return [graph.tasks[key] for key in self.store.missing(keys, repair, remove)]

    def train(self, graph: TaskGraph, todo: Sequence[Task], on_progress: ProgressCallback) -> Training:
        """Train runs of a task graph, and save each in the store.

        Raises:
            WorkerDied, MissingEngine: an error of the engine. DiskFull, CannotWrite, CorruptRun: an error of the store.
        """
        if todo:
            self.store.probe()
        self.store.upload(graph.tasks.keys() - {task.key for task in todo})
        began = time.perf_counter()
        programs = graph.programs(todo)
        if self.cluster is None:
            failed = local.run_all(programs, graph.corpora, self.store, graph.device, self.jobs, on_progress)
        else:
            failed = ray_cluster.run_all(programs, graph.corpora, self.store, graph.device, self.cluster, on_progress)
        return Training(time.perf_counter() - began, tuple(failed), failed.cause)


def share_of(graph: TaskGraph, text: str) -> set[str]:
    """Return the keys of a share of the runs, written K/N.

    Raises:
        BadShare: the text is not K/N with K from 1 to N.
    """
    found = re.fullmatch(r"(\d+)/(\d+)", text)
    if found is None or not 1 <= int(found[1]) <= int(found[2]):
        raise BadShare(f"--task {text} is not a share such as 3/16: write K/N, with K from 1 to N")
    return {task.key for task in share(list(graph.tasks.values()), graph.corpora, int(found[1]), int(found[2]))}
