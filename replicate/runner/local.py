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
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.connection import wait as wait_for
from typing import Any

import torch

from replicate.corpus.types import Corpus
from replicate.errors import MissingDevice, WorkerDied
from replicate.runner.tasks import Task, units
from replicate.runner.worker import Progress, ProgressCallback, Unit, train_unit, waits_for_teacher
from replicate.store.store import Store

# Seconds between two looks at everything that other processes are training.
_PATIENCE = 2.0


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


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
    tasks: Sequence[Task], corpora: Mapping[str, Corpus], store: Store, device: str, jobs: int, listen: ProgressCallback
) -> None:
    """Train and store every run of ``tasks``; a finished one is stored before the next begins.

    ``tasks`` has teachers before students; a teacher that is not among them is in the store already. ``corpora``
    are by hash.

    Raises:
        KeyboardInterrupt: passed on once the workers have stopped. WorkerDied: a worker was killed.
    """
    programs = units(tasks)
    if jobs == 1 or len(programs) < 2:
        waiting = deque(programs)
        while waiting:
            unit = waiting.popleft()
            open_keys = [task.key for other in waiting for task in other]
            # What another process trains comes back to the end of the queue, before its students, until it is done.
            if waits_for_teacher(unit, open_keys) or not train_unit(
                unit, corpora[unit[0].corpus], store, device, listen
            ):
                waiting.append(unit)
                time.sleep(_PATIENCE / len(waiting))
        return
    context = multiprocessing.get_context("spawn")
    news, stop = context.Queue(), context.Event()
    setting = (corpora, store, device, news, stop, len(programs))
    pool = ProcessPoolExecutor(min(jobs, len(programs)), context, _start_worker, setting)
    try:
        follow(lambda unit: pool.submit(_work, unit), programs, news, listen)
    except BrokenProcessPool as error:
        raise WorkerDied(
            "a worker was killed from outside, perhaps for want of memory: finished runs are kept; "
            "run again with fewer --jobs"
        ) from error
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)


def follow(
    submit: Callable[[Unit], Future[bool]], programs: Sequence[Unit], news: Any, listen: ProgressCallback
) -> None:
    """Submit programs as their teachers are done and pass the workers' news on; a worker's first error is raised."""
    waiting, running = list(programs), dict[Future[bool], Unit]()
    while waiting or running:
        open_keys = {task.key for unit in (*waiting, *running.values()) for task in unit}
        ready = [unit for unit in waiting if not waits_for_teacher(unit, open_keys)]
        waiting = [unit for unit in waiting if waits_for_teacher(unit, open_keys)]
        with _interrupts_ignored():  # a worker that is started now inherits it: only this process answers Ctrl-C
            running |= {submit(unit): unit for unit in ready}
        done, _ = wait(running, timeout=0.1)
        for future in done:
            unit = running.pop(future)
            if not future.result():
                waiting.append(unit)
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


def _work(unit: Unit) -> bool:
    def listen(progress: Progress) -> None:
        if _worker["stop"].is_set():
            raise _Stopped
        _worker["news"].put(progress)

    done = train_unit(unit, _worker["corpora"][unit[0].corpus], _worker["store"], _worker["device"], listen)
    if not done:
        time.sleep(_worker["patience"])  # so that asking again is no work
    return done
