"""A lock names its owner, and is taken from one that is gone; the others wait, and say for whom."""

import json
import logging
import os
import subprocess
import sys
import threading
import time
from dataclasses import asdict, replace

import pytest

from replicate.store import locks
from replicate.store.locks import HEARTBEAT, PRESUMED_DEAD, Owner, hold, owner_of

HOLDER = """
import sys
from pathlib import Path
from replicate.store.locks import hold
with hold(Path(sys.argv[1]), False, "it") as ours:
    assert ours
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "key"


@pytest.fixture
def foreign(path, monkeypatch):
    """The system's lock is kept for a process on another host; a function makes its last sign of life so old."""
    other = replace(Owner.here(), host="node7", machine="another", process=17, since="2026-01-02 03:04:05")
    file = path.with_name("key.owner")
    taken = subprocess.Popen(
        [sys.executable, "-c", HOLDER, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert taken.stdout.readline() == "held\n"

    def silent_for(seconds):
        file.unlink(missing_ok=True)  # the process touches the file that it has open
        file.write_text(json.dumps(asdict(other)))
        os.utime(file, (time.time() - seconds,) * 2)

    yield silent_for
    taken.communicate("\n", timeout=60)


def held(path, wait=False):
    with hold(path, wait, "the lock") as ours:
        return ours


def test_a_lock_names_its_owner_while_it_is_held(path):
    began = time.strftime("%Y-%m-%d")
    with hold(path, False, "the lock") as ours:
        owner = owner_of(path)
        assert ours and owner.process == os.getpid() and owner.since.startswith(began)
        assert str(owner) == f"process {os.getpid()} on {owner.host}, since {owner.since}"
        assert not held(path)
    assert owner_of(path) is None and held(path)
    assert [each.name for each in path.parent.iterdir()] == ["key"]


def test_an_owner_shows_that_it_is_alive(path, monkeypatch):
    monkeypatch.setattr(locks, "HEARTBEAT", 0.01)
    with hold(path, False, "the lock"):
        file = path.with_name("key.owner")
        os.utime(file, (0, 0))
        deadline = time.monotonic() + 20
        while file.stat().st_mtime == 0 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert file.stat().st_mtime > 0
    assert PRESUMED_DEAD >= 10 * HEARTBEAT


def test_the_lock_of_an_owner_elsewhere_is_kept_while_it_shows_signs_of_life(path, foreign):
    foreign(PRESUMED_DEAD - 60)
    assert not held(path) and str(owner_of(path)) == "process 17 on node7, since 2026-01-02 03:04:05"


@pytest.mark.parametrize("wait", [False, True])
def test_the_lock_of_an_owner_elsewhere_is_taken_over_without_a_sign_of_life(path, foreign, caplog, wait):
    foreign(PRESUMED_DEAD + 60)
    logging.getLogger("replicate").addHandler(caplog.handler)
    with hold(path, wait, "the lock") as ours:
        assert ours and owner_of(path).process == os.getpid()
        assert not held(path)
    logging.getLogger("replicate").removeHandler(caplog.handler)
    assert "the lock was held by process 17 on node7, since 2026-01-02 03:04:05, which is gone" in caplog.text


def test_one_process_takes_a_lock_over(path, foreign):
    foreign(PRESUMED_DEAD + 60)
    gone = owner_of(path)
    assert locks._take_over(path, gone)
    with hold(path, False, "the lock") as ours:
        assert ours and not locks._take_over(path, gone)
        assert owner_of(path).process == os.getpid() and not held(path)


def test_the_lock_of_a_process_of_this_machine_that_is_gone_is_taken_over(path, foreign):
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    here = Owner.here()
    for owner in (replace(here, process=ended.pid), replace(here, started="1")):
        assert locks._is_gone(path, owner, False) is bool(here.machine)
    assert not locks._is_gone(path, here, False)


def test_a_process_that_was_killed_leaves_a_free_lock(path):
    other = subprocess.Popen(
        [sys.executable, "-c", HOLDER, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout.readline() == "held\n" and not held(path) and owner_of(path).process == other.pid
    other.kill()
    other.communicate(timeout=60)
    assert held(path) and owner_of(path) is None


def test_who_is_waited_for_is_said_once(path, foreign, caplog, monkeypatch):
    foreign(0)
    monkeypatch.setattr(locks, "_PATIENCE", 0.02)
    logging.getLogger("replicate").addHandler(caplog.handler)
    thread = threading.Thread(target=held, args=(path, True), daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not caplog.text and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.2)
    assert caplog.text.count("waiting for the lock, held by process 17 on node7, since 2026-01-02 03:04:05") == 1
    foreign(PRESUMED_DEAD + 60)
    thread.join(20)
    logging.getLogger("replicate").removeHandler(caplog.handler)
    assert not thread.is_alive()


def test_a_lock_is_held_without_a_name_where_nothing_can_be_written(path, monkeypatch):
    monkeypatch.setattr(locks, "write_text", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left")))
    with hold(path, False, "the lock") as ours:
        assert ours and owner_of(path) is None and not held(path)


def test_a_lock_without_a_name_is_taken_over_only_where_the_system_has_no_locks(path):
    path.write_text("17\nnode7\n")
    os.utime(path, (0, 0))
    assert not locks._is_gone(path, None, False) and locks._is_gone(path, None, True)


def test_an_unreadable_name_is_none(path):
    found = []
    for text in ("", "[" * 10000, "{}", json.dumps(asdict(Owner.here()) | {"process": 1 << 70})):
        path.with_name("key.owner").write_text(text)
        found.append(owner_of(path))
    assert found == [None] * 4


def test_a_name_cannot_control_a_terminal():
    assert str(replace(Owner.here(), host="\x1b[2J\n")).isprintable()
