"""Runs are saved and loaded as a whole; damage is found, and locks are held by one process."""

import errno
import os
import shutil
import sys
from dataclasses import replace

import pytest
import torch

from replicate.errors import CannotWrite, CorruptRun, DiskFull, InvalidArgument
from replicate.store import embeddings, open_store
from replicate.store.keys import run_key
from replicate.store.record import CHECKPOINT, PREDICTIONS, RECORD
from replicate.store.store import EMBEDDINGS, Store
from tests.small_runs import SPEC, STUDENT, teacher_outputs


def test_a_missing_run_is_none(store):
    assert store.get("0" * 20) is None


@pytest.mark.parametrize("name", [CHECKPOINT, PREDICTIONS])
@pytest.mark.parametrize("place", [0, 0.5, 1])
def test_a_changed_byte_is_found(store, saved, name, place):
    content = bytearray((saved / name).read_bytes())
    content[int(place * (len(content) - 1))] ^= 1
    (saved / name).write_bytes(content)
    with pytest.raises(CorruptRun, match=name):
        store.get(saved.name)


@pytest.mark.parametrize("name", [CHECKPOINT, PREDICTIONS, RECORD])
def test_a_missing_or_empty_file_is_found(store, saved, name):
    (saved / name).write_bytes(b"")
    with pytest.raises(CorruptRun, match="--repair"):
        store.get(saved.name)
    (saved / name).unlink()
    with pytest.raises(CorruptRun, match="--repair"):
        store.get(saved.name)


FULL = "No space left on device"


@pytest.mark.parametrize(
    ("function", "error", "kind"),
    [
        ("np.savez_compressed", KeyboardInterrupt(), KeyboardInterrupt),
        ("np.savez_compressed", OSError(errno.ENOSPC, FULL), DiskFull),
        ("np.savez_compressed", OSError(errno.EROFS, "Read-only file system"), CannotWrite),
        ("Path.write_bytes", OSError(errno.ENOSPC, FULL), DiskFull),
        ("Path.write_text", OSError(errno.EIO, "Input/output error"), CannotWrite),
    ],
)
def test_a_run_that_could_not_be_written_leaves_nothing(store, corpus, result, monkeypatch, function, error, kind):
    def fail(*arguments, **more):
        raise error

    monkeypatch.setattr(f"replicate.store.saving.{function}", fail)
    with pytest.raises(kind):
        store.put("run", SPEC, corpus, "cpu", result)
    assert list(store.root.iterdir()) == [] and store.get("run") is None


def test_putting_twice_keeps_the_first(store, saved, corpus, result):
    before = (saved / RECORD).read_bytes()
    store.put(saved.name, SPEC, corpus, "cpu", replace(result, best_epoch=3 - result.best_epoch))
    assert (saved / RECORD).read_bytes() == before and list(store.root.iterdir()) == [saved]


def test_runs_are_listed_whatever_state_they_are_in(store, saved):
    (saved / RECORD).write_text("{")
    for name in (".incomplete-x", ".locks", EMBEDDINGS, "0" * 20):
        (store.root / name).mkdir(exist_ok=True)
    (store.root / "a file").write_text("")
    assert store.keys() == sorted([saved.name, "0" * 20])
    assert Store(store.root / "nowhere").keys() == []


@pytest.mark.parametrize("name", [CHECKPOINT, PREDICTIONS, RECORD])
@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_what_is_no_ordinary_file_is_damage_and_is_not_waited_for(store, saved, name, kind):
    (saved / name).unlink()
    if kind == "pipe":
        os.mkfifo(saved / name)
    else:
        (saved / name).symlink_to("/dev/zero")
    with pytest.raises(CorruptRun):
        store.get(saved.name)


def test_a_pipe_in_place_of_embeddings_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "e.safetensors")
    assert not embeddings.intact(tmp_path / "e.safetensors")


def test_a_store_that_leads_to_itself_is_named(tmp_path):
    (tmp_path / "runs").symlink_to(tmp_path / "runs")
    if sys.version_info < (3, 13):
        with pytest.raises(InvalidArgument, match="leads to itself"):
            open_store(tmp_path / "runs", tmp_path)


def test_missing_names_what_is_not_there_and_what_is_damaged(store, saved):
    absent, broken, more = "0" * 20, "1" * 20, "2" * 20
    assert store.missing([absent, saved.name]) == [absent]
    shutil.copytree(saved, store.root / broken)  # whole, but of another key
    with pytest.raises(CorruptRun, match=rf"{broken} is damaged.*--repair trains it again$"):
        store.missing([absent, broken, saved.name])
    (store.root / more).mkdir()
    with pytest.raises(CorruptRun, match=rf"{broken} is damaged.*; also damaged: {more}$"):
        store.missing([broken, more])
    assert set(store.keys()) == {broken, more, saved.name}
    assert store.missing([absent, broken, saved.name, more], repair=True) == [absent, broken, more]
    assert store.keys() == [saved.name] and store.get(saved.name) is not None


def test_removing_a_run_removes_its_embeddings(store, saved):
    other = "0" * 20
    for key in (saved.name, other):
        store.teacher_outputs(key, lambda: teacher_outputs(torch.ones(2, 2)))
    store.remove(saved.name)
    assert store.get(saved.name) is None and store.keys() == []
    assert [path.stem for path in (store.root / EMBEDDINGS).iterdir()] == [other]
    assert list(store.root.glob(".incomplete-*")) == []
    store.remove(saved.name)  # removing it twice is no error


def test_a_lock_is_held_by_one_process_and_released(store):
    other = Store(store.root)
    with store.lock("run", wait=False) as ours:
        assert ours
        with other.lock("run", wait=False) as theirs:
            assert not theirs
        with other.lock("another", wait=False) as free:
            assert free
    with other.lock("run", wait=False) as theirs:
        assert theirs
    with pytest.raises(KeyboardInterrupt), store.lock("run", wait=False):
        raise KeyboardInterrupt
    with other.lock("run", wait=True) as theirs:
        assert theirs


def test_a_lock_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "runs").write_text("")
    with pytest.raises(CannotWrite, match=r"\.locks"), Store(tmp_path / "runs").lock("run", wait=False):
        pass


def test_a_student_names_the_run_of_its_teacher(store, corpus, result):
    spec = replace(SPEC, arm=STUDENT)
    teacher = run_key(spec.teachers[0], corpus, "cpu")
    store.put("student", spec, corpus, "cpu", result, [teacher])
    record = store.record("student")
    assert record.teacher_runs == (teacher,) and [arm.name for arm in record.arm.teachers] == ["teacher"]
    store.put("alone", SPEC, corpus, "cpu", result)
    assert store.record("alone").teacher_runs == ()


def test_a_student_without_the_keys_of_its_teachers_is_not_written(store, corpus, result):
    with pytest.raises(ValueError, match="0 keys for 1 teachers"):
        store.put("student", replace(SPEC, arm=STUDENT), corpus, "cpu", result)
    assert store.keys() == []
