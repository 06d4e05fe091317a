"""Open an ONNX file from anybody in onnxruntime, and run it with limits of memory and time.

``predict.py`` of every bundle contains this module.
"""

import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import onnxruntime
from numpy.typing import NDArray

from export.bundle_files import MAX_MODEL, BadBundle, BadInput, read_limited
from export.graph_check import brief, check_graph

# The lowest version that opens what ``export.onnx.builder`` writes: the first with version 10 of ONNX's file format.
ONNXRUNTIME = "1.18"
# What a model may take on the CPU: bytes for all models of the process, and seconds for a batch. Exported models take a
# third of the memory and a thousandth of the time; a file from somebody else could ask for any amount.
MAX_MEMORY, MAX_SECONDS = 800_000_000, 5
# Seconds after which a program ends when a call does not end although it should.
GRACE = 5
# In utterances; the time of a batch grows at most with the square of their number.
ORDINARY_BATCH = 384
# Seconds of the processor for an utterance, and for each byte of the file: ten times what exported models take one by
# one. Above MAX_SECONDS for all calls, a model may take no more: it could also be slow often instead of once.
PER_UTTERANCE, PER_BYTE = 1e-3, 2e-10
# Level of onnxruntime's log that leaves out errors: they are raised, too.
SILENT = 4
CPU = "CPUExecutionProvider"
_MORE = "far more than an exported model"
# Optimisers of onnxruntime that exported files do not need. The first would fold constants in memory without a limit
# (the exporter has folded them); what the second makes of transposed matrices divides by zero where one is empty, which
# ends the process.
_DISABLED = ["ConstantFolding", "MatmulTransposeFusion"]


class LimitedSession:
    """An ONNX file that is opened if it has nothing but what our exporter writes, and that may not take any amount.

    Args:
        limited: see ``Predictor``.

    Raises:
        BadBundle: it is no file of our exporter. BadInput: a provider is not available.
    """

    def __init__(self, path: Path, threads: int = 1, providers: Sequence[str] = (CPU,), limited: bool = True) -> None:
        here = onnxruntime.__version__
        if [int(number) for number in here.split(".")[:2]] < [int(number) for number in ONNXRUNTIME.split(".")]:
            raise BadBundle(f"onnxruntime {here} is too old for {path}: pip install 'onnxruntime>={ONNXRUNTIME}'")
        self.path = path
        self._limited = limited and list(providers) == [CPU]
        self._seconds, self._allowed = 0.0, float(MAX_SECONDS)
        self._per_utterance = PER_UTTERANCE + PER_BYTE * (path.stat().st_size if path.is_file() else 0)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = SILENT
        # The next level arranges convolutions, which no exported graph has, and takes longer to open.
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
        if self._limited:
            limit_memory()
            options.add_session_config_entry("session.use_env_allocators", "1")
        self.session = open_session(path, options, providers)

    def run(self, inputs: dict[str, NDArray[Any]], utterances: int = 1) -> list[NDArray[Any]]:
        """Return the outputs.

        Args:
            utterances: size of the batch, padding included.

        Raises:
            BadBundle: onnxruntime fails, or needs too much memory or time.
        """
        self._check_time()
        options = onnxruntime.RunOptions()
        options.log_severity_level = SILENT
        size = utterances / ORDINARY_BATCH
        seconds = MAX_SECONDS * max(1, size) ** 2
        self._allowed += self._per_utterance * utterances * max(1, size)
        if self._limited:
            _watch.start(options, seconds, self.path)
        before = time.thread_time()
        try:
            found = self.session.run(None, inputs, options)
        except Exception as error:  # onnxruntime's exceptions have no common base
            if options.terminate:
                raise self._cannot_run(f"it takes more than {seconds:.0f} seconds, {_MORE}") from error
            if "Available memory" in str(error):
                most = f"{limit_memory() / 1e6:.0f} MB"
                raise self._cannot_run(f"it needs more than {most}: split dialogues where topics change") from error
            raise self._cannot_run(brief(error)) from error
        finally:
            _watch.end(options)
            self._seconds += time.thread_time() - before
        self._check_time()
        return found

    def _check_time(self) -> None:
        if self._limited and self._seconds > self._allowed:
            raise self._cannot_run(f"it takes more than {self._allowed:.0f} seconds of the processor, {_MORE}")

    def _cannot_run(self, reason: str) -> BadBundle:
        return _cannot_run(self.path, reason)


def _cannot_run(path: Path, reason: str) -> BadBundle:
    return BadBundle(f"onnxruntime cannot run {path}: {reason}; if that does not help, export again")


@contextmanager
def end_stuck_process(tell: Callable[[str], object], status: int = 1) -> Iterator[None]:
    """End this process with a status if a call does not end when it should; for programs, not for servers.

    onnxruntime ends a call between two operators, and a single product of matrices may take minutes.

    Args:
        tell: called with the message, in another thread.
    """
    _watch.stuck = tell, status
    try:
        yield
    finally:
        _watch.stuck = None


class _Watch:
    """End calls that take too long: one thread for all calls, because a thread for each takes longer than a call.

    The thread ends a second after the last call, and the next call starts another.
    """

    def __init__(self) -> None:
        self._calls: dict[int, tuple[float, onnxruntime.RunOptions, Path]] = {}
        self.stuck: tuple[Callable[[str], object], int] | None = None
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def start(self, options: "onnxruntime.RunOptions", seconds: float, path: Path) -> None:
        """End the call that has these options, if it still runs after so many seconds."""
        with self._lock:
            self._calls[id(options)] = time.monotonic() + seconds, options, path
            if self._thread is None or not self._thread.is_alive():  # none is alive in a process that was forked
                self._thread = threading.Thread(target=self._look, daemon=True)
                self._thread.start()

    def end(self, options: "onnxruntime.RunOptions") -> None:
        """Forget a call."""
        with self._lock:
            self._calls.pop(id(options), None)

    def _look(self) -> None:
        last = time.monotonic()
        while True:
            time.sleep(0.1)
            now = time.monotonic()
            with self._lock:
                for deadline, options, path in self._calls.values():
                    if now > deadline:
                        options.terminate = True
                    if now > deadline + GRACE and self.stuck:
                        tell, status = self.stuck
                        tell(str(_cannot_run(path, f"one of its operators takes too long, {_MORE}")))
                        os._exit(status)
                last = now if self._calls else last
                if now - last > 1:
                    self._thread = None
                    return


_watch = _Watch()


_memory: list[int] = []


def limit_memory(most: int = MAX_MEMORY) -> int:
    """Give onnxruntime one allocator for all models of this process that ask for it, and return its limit in bytes.

    Only the first call can set the limit.
    """
    if _memory:
        return _memory[0]
    _memory.append(most)
    info = onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    )
    try:
        onnxruntime.create_and_register_allocator(info, onnxruntime.OrtArenaCfg({"max_mem": most}))
    except Exception as error:  # onnxruntime's exceptions have no common base
        if "already" not in str(error):  # the program that uses this one has its own, which then decides
            raise
    return most


def open_session(
    path: Path, options: onnxruntime.SessionOptions, providers: Sequence[str]
) -> onnxruntime.InferenceSession:
    """Open an ONNX file on the given providers, without onnxruntime's silent fallback to the CPU.

    Raises:
        BadBundle: the file has what no exported file has, or onnxruntime cannot load it. BadInput: a provider is not
            available on this machine.
    """
    missing = set(providers) - set(onnxruntime.get_available_providers())
    if missing:
        here = ", ".join(onnxruntime.get_available_providers())
        raise BadInput(f"onnxruntime has no {', '.join(sorted(missing))} on this machine, only {here}")
    try:
        before = _version(path)
        check_graph(read_limited(path, MAX_MODEL))
    except (OSError, ValueError) as error:
        raise BadBundle(f"{path} is no model of `replicate export onnx`: {error}; export again") from error
    try:
        session = onnxruntime.InferenceSession(path, options, providers=list(providers), disabled_optimizers=_DISABLED)
    except Exception as error:  # onnxruntime's exceptions have no common base
        reason = " ".join(str(error).split())
        if re.search(r"max supported IR version|opset \d+ is under development|Opset \d+ is under development", reason):
            here = f"onnxruntime {onnxruntime.__version__}"
            raise BadBundle(
                f"{here} is too old for {path} ({reason[-120:]}): pip install --upgrade onnxruntime"
            ) from error
        raise BadBundle(f"onnxruntime cannot open {path}: {brief(error)}; export again") from error
    if _version(path) != before:
        raise BadBundle(f"{path} was changed while it was opened: try again")
    if session.get_providers()[0] != providers[0]:
        raise BadInput(f"onnxruntime fell back from {providers[0]} to {session.get_providers()[0]}: check its drivers")
    return session


def _version(path: Path) -> tuple[int, ...]:
    """Return what changes with a file's content: onnxruntime reads the file itself, in less memory than from bytes."""
    about = path.stat()
    return about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns
