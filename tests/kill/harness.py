"""Kill a command at random moments, run it again, and compare all that it wrote with what it writes undisturbed."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import time
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from tests.kill.scenarios import Scenario, command
from tests.kill.watch import Watch, half_written

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
TARGETS = ("parent", "worker", "group")
# Values that are times, or hashes of content with times.
_TIMES = {"seconds", "wall_seconds", "training_seconds", "sha256", "files"}
# What a page says of them, as "3.2 s" and "1 h 02 min".
_DURATIONS = re.compile(rb"<dd>[^<]*(?=(?: in the last command|, sum of all runs)</dd>)")
# Seconds until a command is killed that does not end.
_LONGEST = 600.0
# Most seconds from a signal until a command has ended, and its workers.
MOST_SECONDS = 5.0
# Share of the kills that wait until something is written; the others are sent after a random time.
_WRITING = 0.8


class _Usual(NamedTuple):
    """Seconds that an undisturbed command takes, and how many changes of hidden files it makes."""

    seconds: float
    changes: int


@dataclass
class Summary:
    """What happened to one command.

    Attributes:
        hits: kills while a file or folder was half written. missed: the command ended before its signal.
        slowest: most seconds from a signal until no process of the command was left, if one was killed, and if it was
            asked to end.
        unlike: files that differ between two undisturbed commands, too, so that only their names are compared.
    """

    name: str
    kills: int = 0
    hits: int = 0
    missed: int = 0
    slowest: dict[str, float] = field(default_factory=dict)
    unlike: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


def supported() -> bool:
    """Return whether processes of a command can be found here."""
    return Path("/proc/self/task").is_dir()


def kill_often(scenario: Scenario, folder: Path, kills: int, seed: int) -> Summary:
    """Kill a command so often, each time in a copy of the same folder, and complete it with the same command."""
    rng = random.Random(f"{seed} {scenario.name}")
    start = folder / "start"
    start.mkdir(parents=True)
    scenario.prepare(start)
    summary = Summary(scenario.name)
    expected, usual = _undisturbed(scenario, start, folder, summary)
    for number in range(kills):
        place = folder / f"kill{number}"
        shutil.copytree(start, place, symlinks=True)
        what = _kill(scenario, place, rng, usual, summary)
        completed = subprocess.run(command(scenario.arguments), cwd=place, capture_output=True, text=True, check=False)
        if completed.returncode or "Traceback" in completed.stderr:
            summary.failures.append(f"{what}: the next command failed: {completed.stderr[-300:]}")
        else:
            summary.failures += [f"{what}: {line}" for line in differences(expected, contents(place), summary.unlike)]
        shutil.rmtree(place)
    return summary


def contents(folder: Path) -> dict[str, str]:
    """Return a hash of every file without its times, by its path; hidden files are no data."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_file() and not any(part.startswith(".") for part in name.parts):
            found[str(name)] = hashlib.sha256(_timeless(path)).hexdigest()
    return found


def differences(expected: dict[str, str], found: dict[str, str], unlike: list[str]) -> list[str]:
    """Return a line for every file that is missing, additional or different."""
    lines = [f"{name} is missing" for name in sorted(expected.keys() - found.keys())]
    lines += [f"{name} is additional" for name in sorted(found.keys() - expected.keys())]
    both = sorted(expected.keys() & found.keys())
    return lines + [f"{name} differs" for name in both if expected[name] != found[name] and name not in unlike]


def _undisturbed(scenario: Scenario, start: Path, folder: Path, summary: Summary) -> tuple[dict[str, str], _Usual]:
    """Return what two undisturbed commands write, and how long one takes and how often it writes."""
    found = []
    began = time.monotonic()
    for name in ("first", "second"):
        shutil.copytree(start, folder / name, symlinks=True)
        with Watch(folder / name) as watch, _started(scenario, folder / name) as process:
            changes = 0
            while process.poll() is None:
                changes += watch.changes(0.05)
            if process.wait():
                raise RuntimeError(f"{scenario.name} failed undisturbed")
        found.append(contents(folder / name))
        shutil.rmtree(folder / name)
    first, second = found
    if first.keys() != second.keys():
        raise RuntimeError(f"{scenario.name} does not write the same files twice")
    summary.unlike = [name for name in first if first[name] != second[name]]
    return first, _Usual((time.monotonic() - began) / 2, changes)


def _kill(scenario: Scenario, place: Path, rng: random.Random, usual: _Usual, summary: Summary) -> str:
    """Start the command, send one signal, and wait until none of its processes is left; return what was done."""
    sent, target = rng.choice(SIGNALS), rng.choice(TARGETS)
    writing, moment = rng.random() < _WRITING, rng.uniform(0.05, 0.8) * usual.seconds
    # Not always the first file. Changes that follow one another at once count as one, so that their number varies.
    skip = rng.randrange(max(1, usual.changes // 2))
    what = f"{sent.name} of {target} {f'after change {skip}' if writing else f'after {moment:.1f} s'}"
    summary.kills += 1
    with Watch(place) as watch, _started(scenario, place) as process:
        stopped = _stop_while_writing(process, watch, place, skip) if writing else _stop_after(process, moment)
        if stopped:
            workers = descendants(process.pid)
            summary.hits += half_written(place)
            _send(sent, target, process.pid, workers, rng)
            _signal_group(process.pid, signal.SIGCONT)
            seconds = _until_gone(process, workers)
            if sent != signal.SIGINT or target != "worker":  # workers leave Ctrl-C to their parent
                _note_time(seconds, sent, what, summary)
        else:
            summary.missed += 1
        _, error = process.communicate()
    # Python itself prints one if it is interrupted before it has read a line of the command.
    if b"Traceback" in error and b"/replicate/" in error:
        summary.failures.append(f"{what}: it printed a traceback: {error[-300:].decode(errors='replace')}")
    return what


def _started(scenario: Scenario, place: Path) -> subprocess.Popen[bytes]:
    pipes: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    return subprocess.Popen(command(scenario.arguments), cwd=place, start_new_session=True, **pipes)


def _stop_after(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Stop all processes of a command after so many seconds; return whether it still runs then."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    _signal_group(process.pid, signal.SIGSTOP)
    return process.poll() is None


def _stop_while_writing(process: subprocess.Popen[bytes], watch: Watch, place: Path, skip: int) -> bool:
    """Stop all processes of a command while something is half written, after so many changes.

    Stopped, they cannot complete a small file before it is looked at and they are killed.
    """
    seen = 0
    while process.poll() is None:
        found = watch.changes(0.05)
        seen += found
        if found and seen > skip:
            _signal_group(process.pid, signal.SIGSTOP)
            time.sleep(0.002)
            if process.poll() is None and half_written(place):
                return True
            _signal_group(process.pid, signal.SIGCONT)
    return False


def _signal_group(process: int, sent: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process, sent)


def _note_time(seconds: float, sent: signal.Signals, what: str, summary: Summary) -> None:
    """Keep the longest time until a command was gone, and a failure if it is too long."""
    kind = "killed" if sent == signal.SIGKILL else "asked to end"
    summary.slowest[kind] = max(summary.slowest.get(kind, 0.0), seconds)
    if seconds > MOST_SECONDS:
        summary.failures.append(f"{what}: it was gone after {seconds:.1f} s only")


def _send(sent: signal.Signals, target: str, parent: int, workers: set[int], rng: random.Random) -> None:
    with contextlib.suppress(ProcessLookupError):
        if target == "group":
            os.killpg(parent, sent)
        elif target == "worker" and workers:
            os.kill(rng.choice(sorted(workers)), sent)
        else:
            os.kill(parent, sent)


def _until_gone(process: subprocess.Popen[bytes], workers: set[int]) -> float:
    """Return the seconds until a command and its workers have ended; what is left after a long time is killed."""
    began = time.monotonic()
    while process.poll() is None or any(map(_runs, workers)):
        if time.monotonic() - began > _LONGEST:
            os.killpg(process.pid, signal.SIGKILL)
        time.sleep(0.01)
    return time.monotonic() - began


def descendants(process: int) -> set[int]:
    """Return the processes that a process has started, and that these have."""
    found = set()
    with contextlib.suppress(OSError):
        for path in Path(f"/proc/{process}/task").glob("*/children"):
            for child in map(int, path.read_text().split()):
                found |= {child} | descendants(child)
    return found


def _runs(process: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return False


def _timeless(path: Path) -> bytes:
    """Return a file's content without times: of JSON and pages those values, of archives the times of members."""
    if path.suffix == ".json":
        return json.dumps(_without_times(json.loads(path.read_text(encoding="utf-8")))).encode()
    if path.suffix == ".npz":
        with zipfile.ZipFile(path) as archive:
            return repr([(one.filename, one.file_size, one.CRC) for one in archive.infolist()]).encode()
    return _DURATIONS.sub(b"", path.read_bytes()) if path.suffix == ".html" else path.read_bytes()


def _without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_times(each) for key, each in value.items() if key not in _TIMES}
    return [_without_times(each) for each in value] if isinstance(value, list) else value
