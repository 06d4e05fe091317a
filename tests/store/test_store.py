import errno
import json
import shutil
import threading
import time
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch

from replicate.corpus.types import SPLITS
from replicate.errors import CannotWrite, CorruptRun, DiskFull, NewerFormat, OldFormat
from replicate.store.keys import run_key, versions
from replicate.store.record import CHECKPOINT, FORMAT, PREDICTIONS, RECORD, CorpusRecord, RunRecord, digest
from replicate.store.store import EMBEDDINGS, Store
from replicate.training.config import Hubert
from replicate.training.data import scales, tensors
from replicate.training.distillation.base import TeacherOutputs
from replicate.training.inference import predict
from replicate.training.loop import train
from replicate.training.metrics import weighted_f1
from replicate.training.released_order import apply_feature_order
from tests.small_runs import SPEC, STUDENT, teacher_outputs


def test_a_run_is_read_as_it_was_written(store, saved, corpus, result):
    run = store.get(saved.name)
    assert {path.name for path in saved.iterdir()} == {CHECKPOINT, PREDICTIONS, RECORD}
    for split in SPLITS:
        assert np.array_equal(run.log_prob(split, "A"), result.log_prob[split, "A"])
        assert run.labels(split).tolist() == np.concatenate([d.labels for d in corpus.split(split)]).tolist()
    record = run.record
    assert (record.best_epoch, record.seed, record.device) == (result.best_epoch, 24, "cpu")
    assert record.curve == result.curve and record.model == result.model and record.budget == SPEC.budget
    assert record.corpus == CorpusRecord("small", corpus.hash, ("no", "yes"), {})
    assert record.streams == ("audio",) and record.versions["torch"] == torch.__version__


def test_the_stored_model_gives_the_stored_predictions(store, saved, corpus):
    run = store.get(saved.name)
    assert {name: asdict(s)["mean"].tolist() for name, s in run.scaling().items()} == {
        name: s.mean.tolist() for name, s in scales(corpus, ("audio",)).items()
    }
    for split in SPLITS:
        data = tensors(corpus, split, run.scaling())
        ours = predict(run.model(), data, SPEC.arm, "A", corpus, SPEC.budget.batch).numpy()
        assert np.allclose(ours, run.log_prob(split, "A"), rtol=0, atol=1e-6)


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


@pytest.mark.parametrize(
    ("old", "new"), [('"seed": 24', '"seed": 25'), ('"best_epoch": ', '"best_epoch": 1'), ("{", "")]
)
def test_a_changed_record_is_found(store, saved, old, new):
    content = (saved / RECORD).read_text()
    (saved / RECORD).write_text(content.replace(old, new, 1))
    with pytest.raises(CorruptRun, match=saved.name):
        store.get(saved.name)


@pytest.mark.parametrize("name", [CHECKPOINT, PREDICTIONS, RECORD])
def test_a_missing_or_empty_file_is_found(store, saved, name):
    (saved / name).write_bytes(b"")
    with pytest.raises(CorruptRun, match="--repair"):
        store.get(saved.name)
    (saved / name).unlink()
    with pytest.raises(CorruptRun, match="--repair"):
        store.get(saved.name)


@pytest.mark.parametrize("content", ["[]", "3", "null", "{}", '{"files": null}', '{"files": {}}'])
def test_a_record_of_something_else_is_found(store, saved, content):
    (saved / RECORD).write_text(content)
    with pytest.raises(CorruptRun):
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

    monkeypatch.setattr(f"replicate.store.store.{function}", fail)
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


def rewrite(folder, without=(), **changes):
    """Another record with a right hash."""
    record = json.loads((folder / RECORD).read_text()) | changes
    record = {name: value for name, value in record.items() if name not in without}
    record["sha256"] = digest(record)
    (folder / RECORD).write_text(json.dumps(record))


def test_runs_of_other_versions_are_counted(store, saved, monkeypatch):
    assert store.of_other_versions() == 0 and store.version_of(saved.name).items() >= versions().items()
    shutil.copytree(saved, store.root / ("0" * 20))
    rewrite(store.root / ("0" * 20), versions=versions() | {"code": "another"})
    assert store.version_of("0" * 20)["code"] == "another" and store.of_other_versions() == 1
    monkeypatch.setattr(torch, "__version__", "0.0")
    assert store.of_other_versions() == 2


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"versions": 3}'])
def test_a_record_that_cannot_be_read_is_of_no_version(store, saved, content):
    (saved / RECORD).write_text(content)
    assert store.version_of(saved.name) is None and store.of_other_versions() == 0


def test_a_record_is_read_without_the_other_files(store, saved, result):
    (saved / CHECKPOINT).unlink()
    (saved / PREDICTIONS).unlink()
    assert store.record(saved.name).best_epoch == result.best_epoch
    rewrite(saved, key="1" * 20)
    with pytest.raises(CorruptRun, match="copied under another name"):
        store.record(saved.name)


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"seed": "24"}, "seed"),
        ({"seed": None}, "seed"),
        ({"arm": 1}, "arm"),
        ({"curve": []}, "curve"),
        ({"curve": [3]}, r"curve\[0\]"),
        ({"best_epoch": 99}, "best_epoch"),
        ({"corpus": {"name": "x"}}, "hash"),
        ({"model": {"width": 3, "causal": True}}, "model"),
        ({"files": {"run.json": 3}}, "files"),
        ({"teacher_runs": ["0" * 20]}, "teacher_runs"),
    ],
)
def test_a_value_of_a_wrong_type_names_folder_and_key(store, saved, change, key):
    rewrite(saved, **change)
    with pytest.raises(CorruptRun, match=f"{saved.name}.*{key}"):
        store.get(saved.name)


def test_a_record_of_a_newer_format_is_named_and_never_removed(store, saved):
    rewrite(saved, format=FORMAT + 1, arm="something new")
    before = (saved / RECORD).read_bytes()
    expected = rf"{saved} was written by a newer version: format {FORMAT + 1}, this version reads {FORMAT}"
    for read in (store.get, store.record, lambda key: store.missing([key], repair=True)):
        with pytest.raises(NewerFormat, match=expected):
            read(saved.name)
    assert (saved / RECORD).read_bytes() == before


@pytest.mark.parametrize("number", [1, None])
def test_a_record_of_the_old_format_is_named_and_left_alone(store, saved, number):
    rewrite(saved, **({"format": number} if number else {}), without=() if number else ("format",))
    with pytest.raises(OldFormat, match=f"{saved.name} was written by an older version"):
        store.missing([saved.name], repair=True)
    assert saved.is_dir()


@pytest.mark.parametrize("number", ["2", True, 2.0, None])
def test_a_format_that_is_no_number_is_damage(store, saved, number):
    rewrite(saved, format=number)
    with pytest.raises(CorruptRun, match=r"\$\.format"):
        store.get(saved.name)


def test_a_record_is_the_same_after_a_round_trip(store, saved, tmp_path):
    record = RunRecord.load(saved)
    record.save(tmp_path)
    assert RunRecord.load(tmp_path) == record
    assert (tmp_path / RECORD).read_bytes() == (saved / RECORD).read_bytes()


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


def test_a_run_that_is_removed_takes_its_embeddings_along(store, saved):
    other = "0" * 20
    for key in (saved.name, other):
        store.teacher_outputs(key, lambda: teacher_outputs(torch.ones(2, 2)))
    store.remove(saved.name)
    assert store.get(saved.name) is None and store.keys() == []
    assert [path.stem for path in (store.root / EMBEDDINGS).iterdir()] == [other]
    assert list(store.root.glob(".incomplete-*")) == []
    store.remove(saved.name)  # removing it twice is no error


def test_embeddings_are_computed_once(store):
    def compute():
        asked.append(1)
        return teacher_outputs(torch.arange(6.0).view(2, 3))

    asked: list[int] = []
    store.root.mkdir()
    for _ in range(3):
        found = store.teacher_outputs("teacher", compute)
        assert found.train.embedding.tolist() == [[0, 1, 2], [3, 4, 5]]
        assert found.train.log_prob.tolist() == [[-1, 0, 1], [2, 3, 4]]
        assert (found.dev.embedding.tolist(), found.dev.log_prob.tolist()) == ([[1, 2, 3]], [[-2, -1, 0]])
    assert len(asked) == 1 and store.embeddings_intact("teacher")
    assert (
        store.teacher_outputs("another", lambda: teacher_outputs(torch.zeros(1, 1))).train.embedding.tolist() == [[0]]
        and len(asked) == 1
    )


@pytest.mark.parametrize("place", [0, 0.5, 0.999])
def test_damaged_embeddings_are_computed_again(store, place):
    store.root.mkdir()
    store.teacher_outputs("teacher", lambda: teacher_outputs(torch.ones(2, 3)))
    path = store.root / EMBEDDINGS / "teacher.safetensors"
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 1
    path.write_bytes(content)
    assert not store.embeddings_intact("teacher")
    assert (
        store.teacher_outputs("teacher", lambda: teacher_outputs(torch.ones(2, 3) * 2)).train.embedding.tolist()
        == [[2] * 3] * 2
    )
    assert store.embeddings_intact("teacher")


def test_several_students_at_once_wait_for_one_computation(store):
    def compute():
        asked.append(1)
        time.sleep(0.2)
        return teacher_outputs(torch.ones(2, 1))

    asked: list[int] = []
    store.root.mkdir()
    found: list[TeacherOutputs] = []
    threads = [threading.Thread(target=lambda: found.append(store.teacher_outputs("t", compute))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(asked) == 1 and [each.train.embedding.tolist() for each in found] == [[[1], [1]]] * 4


def test_embeddings_that_could_not_be_computed_leave_nothing(store):
    store.root.mkdir()
    with pytest.raises(KeyboardInterrupt):
        store.teacher_outputs("teacher", lambda: (_ for _ in ()).throw(KeyboardInterrupt))
    assert not list(store.root.glob(f"{EMBEDDINGS}/*")) and not store.embeddings_intact("teacher")


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


def test_predictions_are_saved_with_the_labels_that_training_used(store, corpus):
    """In the order of the release labels move; the saved ones are those that training used."""
    rng = np.random.default_rng(0)
    with_hubert = tuple(
        replace(d, features=d.features | {"hubert": rng.standard_normal((len(d), 2)).astype(np.float32)})
        for d in corpus.dialogues
    )
    source = replace(corpus, dialogues=with_hubert)
    protocol = replace(SPEC.protocol, hubert=Hubert(order="release"))
    spec = replace(SPEC, arm=replace(SPEC.arm, audio="hubert"), protocol=protocol)
    result = train(spec, source)
    store.put("run", spec, source, "cpu", result)
    run = store.get("run")
    moved = apply_feature_order(source, spec.arm, protocol)
    assert [d.labels.tolist() for d in moved.dialogues] != [d.labels.tolist() for d in source.dialogues]
    for split in SPLITS:
        assert run.labels(split).tolist() == np.concatenate([d.labels for d in moved.split(split)]).tolist()
    best = result.curve[result.best_epoch - 1]
    assert weighted_f1(run.labels("dev"), run.log_prob("dev", "A")) == best.dev_f1
