"""Training on this machine: in this process, or in several at once with bitwise equal results.

Several commands may share a store: a run is trained under a lock, and a run that another process is training is
postponed until that process has saved it or died.
"""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, nullcontext
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import wait as wait_for
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import Any

from replicate.config import folders
from replicate.corpus.types import Corpus
from replicate.errors import WorkerDied
from replicate.limits import MIB, require_address_space
from replicate.runner.failures import FailedRuns
from replicate.runner.progress import Progress, ProgressCallback
from replicate.runner.schedule import Held, Outcome, Schedule
from replicate.runner.tasks import Program
from replicate.store.store import Store

# Seconds to wait before the next attempt, if other processes hold the locks of all runs that are left.
_PATIENCE = 2.0
# Seconds that workers have to end when a command is interrupted; job schedulers kill it soon after.
_GRACE = 2.0
# Address space of a process that trains the smallest models. Below 1,250 MiB they cannot import all of their libraries.
_LEAST_SPACE = 1300 * MIB


def run_all(
    programs: Sequence[Program],
    corpora: Mapping[str, Corpus],
    store: Store,
    device: str,
    jobs: int,
    on_progress: ProgressCallback,
) -> FailedRuns:
    """Train and save every program, and return the runs whose training raised, or whose teacher's did.

    Every run is saved before the next one of its process begins. A teacher that is not among the programs must be in
    the store. ``corpora`` maps hashes to corpora.

    Raises:
        KeyboardInterrupt: passed on once the workers have stopped. WorkerDied: a worker was killed. DiskFull,
        CannotWrite, CorruptRun: an error of the store.
    """
    schedule = Schedule(programs)
    if jobs == 1 or len(programs) < 2:
        from replicate.runner.worker import train_program  # imports torch; with workers, they alone do

        while schedule:
            program = schedule.start()
            outcome = train_program(program, corpora[program.corpus], store, device, on_progress)
            schedule.finish(program, outcome)
            if isinstance(outcome, Held):
                time.sleep(_PATIENCE / len(schedule))
        return schedule.failed()
    require_address_space(_LEAST_SPACE, f"--jobs {jobs}")
    context = process_context()
    news, stop = context.Queue(), context.Event()
    setting = (folders.current(), corpora, store, device, news, stop, len(programs))
    workers = min(jobs, len(programs))
    pool = ProcessPoolExecutor(workers, context, _start_worker, setting)

    def submit(program: Program) -> Future[Outcome]:
        # A worker that is started now never gets a Ctrl-C: only this process answers it. A server that forks workers
        # has inherited that, and submitting waits for its imports.
        with nullcontext() if context.get_start_method() == "forkserver" else held_back(signal.SIGINT):
            return pool.submit(_work, program)

    try:
        # One program waits in the pool, so that no worker does.
        follow(submit, schedule, news, on_progress, workers + 1)
    except (BrokenProcessPool, EOFError, ConnectionError) as error:  # the latter two where their server ended
        raise WorkerDied(
            "a worker was killed from outside, perhaps because memory ran out: completed runs are kept; "
            "run again with fewer --jobs"
        ) from error
    finally:
        stop.set()
        end_workers(pool)
    return schedule.failed()


def end_workers(pool: ProcessPoolExecutor, grace: float = _GRACE) -> None:
    """End the workers of a pool: each with its epoch, or killed after ``grace`` seconds; no half of a run is kept.

    Another Ctrl-C meanwhile changes nothing: without this process, workers that still start would print tracebacks.
    """
    workers = list((pool._processes or {}).values())  # Python 3.14 has kill_workers()

    def kill() -> None:
        for worker in workers:
            if worker.is_alive():
                worker.kill()

    timer = threading.Timer(grace, kill)
    timer.daemon = True
    with _ignored(signal.SIGINT, signal.SIGTERM):
        timer.start()
        pool.shutdown(cancel_futures=True)
        timer.cancel()


def process_context() -> BaseContext:
    """Return how workers start: each forked from a server that has imported the slow libraries once, or else anew.

    The server runs nothing, so its forks are safe. It imports no module of this package, because it may find another
    copy of it than this process. It ends with the thread that starts it, so only the main thread asks for that.
    """
    if not sys.platform.startswith("linux"):  # elsewhere system libraries do not survive a fork
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    lasting = threading.current_thread() is threading.main_thread()
    first = ["bridging_modalities_workers"] if lasting else []
    context.set_forkserver_preload([*first, "torch_geometric.nn"])  # and with it torch
    with held_back(signal.SIGINT):
        forkserver.ensure_running()
    return context


def follow(
    submit: Callable[[Program], Future[Outcome]],
    schedule: Schedule,
    news: Any,
    on_progress: ProgressCallback,
    most: float = math.inf,
) -> None:
    """Submit programs as soon as their teachers are trained, and pass on the progress that workers report.

    At most ``most`` are submitted at a time: a student whose teacher is complete then starts before the programs that
    come after it in the given order.
    """
    running: dict[Future[Outcome], Program] = {}
    while schedule or running:
        while schedule and len(running) < most:
            program = schedule.start()
            running[submit(program)] = program
        done, _ = wait(running, timeout=0.1, return_when=FIRST_COMPLETED)
        for future in done:
            schedule.finish(running.pop(future), future.result())
        with contextlib.suppress(queue.Empty):
            while True:
                on_progress(news.get(timeout=0 if schedule or running else 0.05))


@contextmanager
def _ignored(*signals: signal.Signals) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {each: signal.signal(each, signal.SIG_IGN) for each in signals}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


@contextmanager
def held_back(*signals: signal.Signals) -> Iterator[None]:
    """Deliver signals after the block only; processes that are started inside it never get them.

    They inherit the mask. It does not do for this process, whose other threads get what the main thread has blocked.
    """
    resource_tracker.ensure_running()  # to start this process inside the block would deliver them
    caught: list[int] = []
    handlers = {}
    if threading.current_thread() is threading.main_thread():  # only there handlers can be set
        handlers = {number: signal.signal(number, lambda number, _: caught.append(number)) for number in signals}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        for number, handler in handlers.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        for arrived in dict.fromkeys(caught):
            signal.raise_signal(arrived)


_worker: dict[str, Any] = {}


class _Stopped(Exception):
    """The main process has ended the command."""


def _start_worker(
    config_dirs: Sequence[Path],
    corpora: Mapping[str, Corpus],
    store: Store,
    device: str,
    news: Any,
    stop: Any,
    programs: int,
) -> None:
    folders.use(config_dirs)  # before programs are unpickled, whose arms may be a plugin's
    _worker.update(corpora=corpora, store=store, device=device, news=news, stop=stop, patience=_PATIENCE / programs)
    end_with_parent()


def end_with_parent() -> None:
    """End this worker when the main process is killed; without this it would wait for programs for ever."""
    parent = multiprocessing.parent_process()

    def end() -> None:
        if parent is not None:
            wait_for([parent.sentinel])
            os._exit(1)

    threading.Thread(target=end, daemon=True).start()


def _work(program: Program) -> Outcome:
    def on_progress(progress: Progress) -> None:
        if _worker["stop"].is_set():
            raise _Stopped
        _worker["news"].put(progress)

    from replicate.runner.worker import train_program

    corpus = _worker["corpora"][program.corpus]
    outcome = train_program(program, corpus, _worker["store"], _worker["device"], on_progress)
    if isinstance(outcome, Held):
        time.sleep(_worker["patience"])  # so that trying again takes no processor time
    return outcome
