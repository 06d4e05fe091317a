"""Other processes that use the same store: one that holds a lock, and one that trains."""

import multiprocessing
import signal
import subprocess
import sys
import time

import numpy as np

from replicate.runner import local
from replicate.runner.local import run_all
from replicate.store.store import Store
from tests.runner.families import FAMILY
from tests.small_runs import programs, small_corpus

# Processes of their own that do not import everything anew.
PROCESSES = multiprocessing.get_context("forkserver")

PROCESSES.set_forkserver_preload(["replicate.runner.worker"])

HOLDER = """
import sys
from filelock import FileLock
with FileLock(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.readline()
"""


class Holder:
    """Another process that holds the lock of a run."""

    def __init__(self, store, key):
        (store.root / ".locks").mkdir(parents=True, exist_ok=True)
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(store.root / ".locks" / key)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout.readline() == "held\n"

    def release(self):
        self.process.communicate("\n", timeout=20)

    def kill(self):
        self.process.kill()
        self.process.communicate(timeout=20)


def train_family(folder, connection, jobs=1, meeting=None, hangs_at=None):
    """What another command does, in a process of its own; it sends every progress report."""

    def on_progress(progress):
        connection.send((progress.task.key, progress.epoch and progress.epoch.epoch))
        if jobs > 1 and progress.epoch is None:
            connection.send([worker.pid for worker in multiprocessing.active_children()])
            time.sleep(1000)  # until it is killed: its workers get no other program
        if meeting is not None and len(met) == 0:
            met.append(meeting.wait(60))

    def savez_compressed(*arguments, **arrays):
        written.append(arguments)
        if len(written) == hangs_at:
            connection.send("writing")
            time.sleep(1000)
        original(*arguments, **arrays)

    met, written, original = [], [], np.savez_compressed
    np.savez_compressed = savez_compressed
    local._PATIENCE = 0.02
    corpus = small_corpus()
    run_all(programs(FAMILY, corpus), {corpus.hash: corpus}, Store(folder), "cpu", jobs, on_progress)
    connection.send("done")


class Command:
    """Another command that trains FAMILY in the same store; ``messages`` is what it has sent so far."""

    def __init__(self, store, **options):
        self.connection, theirs = PROCESSES.Pipe(duplex=False)
        self.process = PROCESSES.Process(target=train_family, args=(store.root, theirs), kwargs=options)
        self.process.start()
        theirs.close()
        self.messages = []

    def until(self, is_enough):
        """Receive messages until one of a kind."""
        while not (self.messages and is_enough(self.messages[-1])):
            assert self.connection.poll(300), "it sends nothing any more"
            self.messages.append(self.connection.recv())

    def kill(self):
        self.process.kill()
        self.process.join(20)
        assert self.process.exitcode == -signal.SIGKILL
