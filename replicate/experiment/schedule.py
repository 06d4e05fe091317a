"""Trains what is missing: in this process, or in several at once with the same bits.

Several commands may share a store: a run is trained under a lock, and what another process works on is left to it
and looked at again later.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import queue
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import wait as wait_for
from typing import Any

import torch
from torch import Tensor

from replicate.corpus.types import Corpus
from replicate.errors import MissingDevice, WorkerDied
from replicate.experiment.store import Store
from replicate.experiment.tasks import Task
from replicate.training.learner import Epoch
from replicate.training.run import embed, train

# Seconds between two looks at everything that other processes are training.
_PATIENCE = 2.0


@dataclass(frozen=True)
class Progress:
    """What a schedule tells while it works. ``epoch`` is None when the run is in the store."""

    task: Task
    epoch: Epoch | None


Listener = Callable[[Progress], None]


def resolve_device(name: str) -> str:
    """``auto`` as ``cuda`` where there is a GPU, else ``cpu``.

    Raises:
        MissingDevice: ``cuda`` was asked for and is not there.
    """
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise MissingDevice("no CUDA device on this machine, or a torch built without CUDA: use --device cpu")
    return name


def run_all(
    tasks: Sequence[Task], corpora: Mapping[str, Corpus], store: Store, device: str, jobs: int, listen: Listener
) -> None:
    """Train and store every run of ``tasks``; a finished one is stored before the next begins.

    ``tasks`` has teachers before students; a teacher that is not among them is in the store already. ``corpora``
    are by hash.

    Raises:
        KeyboardInterrupt: passed on once the workers have stopped. WorkerDied: a worker was killed.
    """
    if jobs == 1 or len(tasks) < 2:
        waiting = deque(tasks)
        while waiting:
            task = waiting.popleft()
            # What another process trains comes back to the end of the queue, before its students, until it is done.
            if _held(task, waiting) or not _run_one(task, corpora[task.corpus], store, device, listen):
                waiting.append(task)
                time.sleep(_PATIENCE / len(waiting))
        return
    context = multiprocessing.get_context("spawn")
    news, stop = context.Queue(), context.Event()
    setting = (corpora, store, device, news, stop, len(tasks))
    pool = ProcessPoolExecutor(min(jobs, len(tasks)), context, _start_worker, setting)
    try:
        _follow(pool, tasks, news, listen)
    except BrokenProcessPool as error:
        raise WorkerDied(
            "a worker was killed from outside, perhaps for want of memory: finished runs are kept; "
            "run again with fewer --jobs"
        ) from error
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)


def _held(task: Task, waiting: Iterable[Task]) -> bool:
    """Whether a task's teacher is still to come."""
    return any(other.key == task.teacher for other in waiting)


def _run_one(task: Task, corpus: Corpus, store: Store, device: str, listen: Listener) -> bool:
    """Train and store one run; false where another process is at it."""
    with store.lock(task.key, wait=False) as ours:
        if not ours:
            return False
        if store.get(task.key) is None:
            teacher = None if task.teacher is None else _embeddings(task, corpus, store)
            result = train(task.spec, corpus, device, lambda epoch: listen(Progress(task, epoch)), teacher)
            store.put(task.key, task.spec, corpus, device, result)
    listen(Progress(task, None))
    return True


def _embeddings(task: Task, corpus: Corpus, store: Store) -> Tensor:
    """What the task's teacher makes of the training split."""
    spec = task.spec.teacher
    assert task.teacher is not None and spec is not None
    run = store.need(task.teacher, f"the teacher of {task.name}")
    return store.embeddings(run.folder.name, lambda: embed(run.model(), run.scaling(), spec, corpus))


def _follow(pool: ProcessPoolExecutor, tasks: Sequence[Task], news: Any, listen: Listener) -> None:
    """Submit tasks as their teachers are done and pass the workers' news on; a worker's first error is raised."""
    waiting, running = list(tasks), dict[Future[bool], Task]()
    while waiting or running:
        open_keys = {task.key for task in (*waiting, *running.values())}
        ready = [task for task in waiting if task.teacher not in open_keys]
        waiting = [task for task in waiting if task.teacher in open_keys]
        with _interrupts_ignored():  # a worker that is started now inherits it: only this process answers Ctrl-C
            running |= {pool.submit(_work, task): task for task in ready}
        done, _ = wait(running, timeout=0.1)
        for future in done:
            task = running.pop(future)
            if not future.result():
                waiting.append(task)
        with contextlib.suppress(queue.Empty):
            while True:
                listen(news.get(timeout=0 if waiting or running else 0.05))


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


_worker: dict[str, Any] = {}


class _Stopped(Exception):
    """The main process wants no more."""


def _start_worker(corpora: Mapping[str, Corpus], store: Store, device: str, news: Any, stop: Any, tasks: int) -> None:
    _worker.update(corpora=corpora, store=store, device=device, news=news, stop=stop, patience=_PATIENCE / tasks)
    threading.Thread(target=_die_with_parent, daemon=True).start()


def _die_with_parent() -> None:
    """A killed main process cannot tell its workers; without this they would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait_for([parent.sentinel])
        os._exit(1)


def _work(task: Task) -> bool:
    def listen(progress: Progress) -> None:
        if _worker["stop"].is_set():
            raise _Stopped
        _worker["news"].put(progress)

    done = _run_one(task, _worker["corpora"][task.corpus], _worker["store"], _worker["device"], listen)
    if not done:
        time.sleep(_worker["patience"])  # so that asking again is no work
    return done
