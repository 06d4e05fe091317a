"""An interrupted or killed command keeps its completed runs and leaves no incomplete one."""

import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from replicate.errors import WorkerDied
from replicate.runner import local
from replicate.runner.progress import Progress
from tests.runner.families import FAMILY, contents, run
from tests.runner.other_commands import Command
from tests.small_runs import listed, seeds


@pytest.mark.slow
def test_a_killed_worker_is_named_and_completed_runs_are_kept(store, corpus):
    def on_progress(progress):
        if progress.epoch is None:
            os.kill(multiprocessing.active_children()[0].pid, signal.SIGKILL)

    long = [replace(spec, budget=replace(spec.budget, epochs=20)) for spec in seeds(*range(24, 64))]
    with pytest.raises(WorkerDied, match="--jobs"):
        run(store, corpus, long, 2, on_progress)
    keys = [task.key for task in listed(long, corpus)]
    assert 1 <= sum(store.get(key) is not None for key in keys) < 40
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize(("epoch", "completed"), [(1, 1), (2, 1), (None, 2)])
def test_an_interrupt_keeps_completed_runs_and_no_incomplete_one(store, corpus, epoch, completed):
    def on_progress(progress):
        if progress.task.spec.seed == 25 and (progress.epoch and progress.epoch.epoch) == epoch:
            raise KeyboardInterrupt

    tasks = listed(seeds(24, 25, 26), corpus)
    with pytest.raises(KeyboardInterrupt):
        run(store, corpus, seeds(24, 25, 26), on_progress=on_progress)
    keys = [task.key for task in tasks]
    assert {path.name for path in store.root.glob("[!.]*")} == set(keys[:completed])
    assert store.missing(keys) == keys[completed:]
    # The lock of the run that was interrupted is free again.
    for key in keys:
        with store.lock(key, wait=False) as ours:
            assert ours


@pytest.mark.slow
def test_a_killed_command_leaves_whole_runs_and_the_next_one_goes_on(undisturbed, store, corpus):
    """It is killed while the folder of its third run is half written."""
    command = Command(store, hangs_at=3)
    command.until(lambda message: message == "writing")
    command.kill()
    keys = [task.key for task in listed(FAMILY, corpus)]
    assert len(list(store.root.glob(".incomplete-*"))) == 1
    assert store.missing(keys) == keys[2:] and set(store.keys()) == set(keys[:2])
    news: list[Progress] = []
    run(store, corpus, FAMILY, on_progress=news.append)
    assert [p.task.key for p in news if p.epoch and p.epoch.epoch == 1] == keys[2:]
    assert contents(store) == contents(undisturbed)


@pytest.mark.slow
def test_workers_that_are_busy_are_ended_soon_and_a_second_interrupt_changes_nothing():
    pool = ProcessPoolExecutor(2, local.process_context())
    futures = [pool.submit(time.sleep, 600) for _ in range(3)]
    deadline = time.monotonic() + 60
    while not (futures[0].running() and futures[1].running()) and time.monotonic() < deadline:
        time.sleep(0.05)
    workers = list(pool._processes)
    interrupts = [threading.Timer(wait, os.kill, (os.getpid(), signal.SIGINT)) for wait in (0.1, 0.5)]
    for timer in interrupts:
        timer.start()
    began = time.monotonic()
    local.end_workers(pool)
    assert time.monotonic() - began < 5 and not any(map(running, workers))
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler and all(future.done() for future in futures)


@pytest.mark.parametrize("threads", [0, 3])
def test_signals_are_held_back_and_not_lost_and_started_processes_never_get_them(threads):
    end = threading.Event()
    for _ in range(threads):  # the mask of the main thread is not theirs
        threading.Thread(target=end.wait, daemon=True).start()
    passed = False
    with pytest.raises(KeyboardInterrupt), local.held_back(signal.SIGINT):
        blocked = "import signal; print(signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, []))"
        child = subprocess.run([sys.executable, "-c", blocked], capture_output=True, text=True, check=True)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)
        passed = True
    end.set()
    assert passed and child.stdout == "True\n"
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


COMMAND = """
import time
from multiprocessing import forkserver
from replicate.runner import local

if __name__ == "__main__":
    context = local.process_context()
    print(forkserver._forkserver._forkserver_pid, flush=True)
    worker = context.Process(target=time.sleep, args=(600,))
    worker.start()
    print(worker.pid, flush=True)
    time.sleep(600)
"""


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="this system has no /proc")
@pytest.mark.parametrize("lines", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_the_server_and_its_workers_end_with_a_command_that_is_killed_while_they_start(lines, tmp_path):
    (tmp_path / "command.py").write_text(COMMAND)
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, str(tmp_path / "command.py")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            pids = [int(process.stdout.readline()) for _ in range(lines)]
            time.sleep(0.5)  # the server has begun to import torch
            assert all(map(running, pids))
        finally:
            process.kill()
    deadline = time.monotonic() + 2
    while any(map(running, pids)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(map(running, pids))


def running(pid):
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return False


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="this system has no /proc")
def test_workers_of_a_killed_command_die_with_it(undisturbed, store, corpus):
    command = Command(store, jobs=2)
    command.until(lambda message: isinstance(message, list))
    workers = command.messages[-1]
    assert len(workers) == 2 and all(map(running, workers))
    command.kill()
    deadline = time.monotonic() + 20
    while any(map(running, workers)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(running, workers))
    keys = [task.key for task in listed(FAMILY, corpus)]
    assert 0 < len(store.missing(keys)) < len(keys)
    run(store, corpus, FAMILY)
    assert contents(store) == contents(undisturbed)
