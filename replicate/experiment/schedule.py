"""Trains what is missing: in this process, or in several at once with the same bits."""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import wait as wait_for
from typing import Any

import torch

from replicate.corpus.types import Corpus
from replicate.errors import MissingDevice, WorkerDied
from replicate.experiment.store import Store, run_key
from replicate.training.run import Epoch, train
from replicate.training.settings import RunSpec


@dataclass(frozen=True)
class Progress:
    """What a schedule tells while it works. ``epoch`` is None when the run of ``spec`` has just been stored."""

    spec: RunSpec
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


def missing(specs: Sequence[RunSpec], corpus: Corpus, store: Store, device: str) -> list[RunSpec]:
    """The runs that the store lacks, each once.

    Raises:
        CorruptRun: a folder of the store is damaged.
    """
    by_key = {run_key(spec, corpus, device): spec for spec in specs}
    return [spec for key, spec in by_key.items() if store.get(key) is None]


def run_all(specs: Sequence[RunSpec], corpus: Corpus, store: Store, device: str, jobs: int, listen: Listener) -> None:
    """Train and store every run of ``specs``; a finished one is stored before the next begins.

    Raises:
        KeyboardInterrupt: passed on once the workers have stopped. WorkerDied: a worker was killed.
    """
    if jobs == 1 or len(specs) < 2:
        for spec in specs:
            _run_one(spec, corpus, store, device, listen)
        return
    context = multiprocessing.get_context("spawn")
    news, stop = context.Queue(), context.Event()
    with _interrupts_ignored():  # what is started now inherits it: only this process answers Ctrl-C
        pool = ProcessPoolExecutor(min(jobs, len(specs)), context, _start_worker, (corpus, store, device, news, stop))
        futures = [pool.submit(_work, spec) for spec in specs]
    try:
        _follow(futures, news, listen)
    except BrokenProcessPool as error:
        raise WorkerDied(
            "a worker was killed from outside, perhaps for want of memory: finished runs are kept; "
            "run again with fewer --jobs"
        ) from error
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)


def _run_one(spec: RunSpec, corpus: Corpus, store: Store, device: str, listen: Listener) -> None:
    result = train(spec, corpus, device, lambda epoch: listen(Progress(spec, epoch)))
    store.put(run_key(spec, corpus, device), spec, corpus, device, result)
    listen(Progress(spec, None))


def _follow(futures: list[Future[None]], news: Any, listen: Listener) -> None:
    """Pass the workers' news on until all are done; the first error of a worker is raised here."""
    waiting = set(futures)
    while waiting:
        done, waiting = wait(waiting, timeout=0.1)
        for future in done:
            future.result()
        try:
            while True:
                listen(news.get(timeout=0.05 if not waiting else 0))
        except queue.Empty:
            pass


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


def _start_worker(corpus: Corpus, store: Store, device: str, news: Any, stop: Any) -> None:
    _worker.update(corpus=corpus, store=store, device=device, news=news, stop=stop)
    threading.Thread(target=_die_with_parent, daemon=True).start()


def _die_with_parent() -> None:
    """A killed main process cannot tell its workers; without this they would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait_for([parent.sentinel])
        os._exit(1)


def _work(spec: RunSpec) -> None:
    def listen(progress: Progress) -> None:
        if _worker["stop"].is_set():
            raise _Stopped
        _worker["news"].put(progress)

    _run_one(spec, _worker["corpus"], _worker["store"], _worker["device"], listen)
