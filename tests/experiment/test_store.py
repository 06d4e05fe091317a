import errno
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch

from replicate.corpus.types import SPLITS
from replicate.errors import CannotWrite, CorruptRun, DiskFull
from replicate.experiment.stored import CHECKPOINT, PREDICTIONS, RECORD
from replicate.training.data import scales, tensors
from replicate.training.run import predict

from .conftest import SPEC


def test_what_is_put_is_what_is_got(store, stored, corpus, result):
    run = store.get(stored.name)
    assert {path.name for path in stored.iterdir()} == {CHECKPOINT, PREDICTIONS, RECORD}
    for split in SPLITS:
        assert np.array_equal(run.log_prob(split, "A"), result.log_prob[split, "A"])
        assert run.labels(split).tolist() == np.concatenate([d.labels for d in corpus.split(split)]).tolist()
    record = run.record
    assert (record["best_epoch"], record["seed"], record["device"]) == (result.best_epoch, 24, "cpu")
    assert record["curve"] == [asdict(epoch) for epoch in result.curve]
    assert record["corpus"] == {"name": "small", "hash": corpus.hash, "labels": ["no", "yes"]}
    assert record["streams"] == ["audio"] and record["versions"]["torch"] == torch.__version__


def test_the_stored_model_gives_the_stored_predictions(store, stored, corpus):
    run = store.get(stored.name)
    assert {name: asdict(s)["mean"].tolist() for name, s in run.scaling().items()} == {
        name: s.mean.tolist() for name, s in scales(corpus, ("audio",)).items()
    }
    for split in SPLITS:
        data = tensors(corpus, split, run.scaling())
        ours = predict(run.model(), data, SPEC.arm, "A", corpus, SPEC.budget.batch).numpy()
        assert np.allclose(ours, run.log_prob(split, "A"), rtol=0, atol=1e-6)


def test_a_run_that_is_not_there_is_none(store):
    assert store.get("0" * 20) is None


@pytest.mark.parametrize("name", [CHECKPOINT, PREDICTIONS])
@pytest.mark.parametrize("place", [0, 0.5, 1])
def test_a_changed_byte_is_found(store, stored, name, place):
    content = bytearray((stored / name).read_bytes())
    content[int(place * (len(content) - 1))] ^= 1
    (stored / name).write_bytes(content)
    with pytest.raises(CorruptRun, match=name):
        store.get(stored.name)


@pytest.mark.parametrize(
    ("old", "new"), [('"seed": 24', '"seed": 25'), ('"best_epoch": ', '"best_epoch": 1'), ("{", "")]
)
def test_a_changed_record_is_found(store, stored, old, new):
    content = (stored / RECORD).read_text()
    (stored / RECORD).write_text(content.replace(old, new, 1))
    with pytest.raises(CorruptRun, match=stored.name):
        store.get(stored.name)


@pytest.mark.parametrize("name", [CHECKPOINT, PREDICTIONS, RECORD])
def test_a_missing_or_empty_file_is_found(store, stored, name):
    (stored / name).write_bytes(b"")
    with pytest.raises(CorruptRun, match="--repair"):
        store.get(stored.name)
    (stored / name).unlink()
    with pytest.raises(CorruptRun, match="--repair"):
        store.get(stored.name)


@pytest.mark.parametrize("content", ["[]", "3", "null", "{}", '{"files": null}', '{"files": {}}'])
def test_a_record_of_something_else_is_found(store, stored, content):
    (stored / RECORD).write_text(content)
    with pytest.raises(CorruptRun):
        store.get(stored.name)


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

    monkeypatch.setattr(f"replicate.experiment.store.{function}", fail)
    with pytest.raises(kind):
        store.put("run", SPEC, corpus, "cpu", result)
    assert list(store.root.iterdir()) == [] and store.get("run") is None


def test_putting_twice_keeps_the_first(store, stored, corpus, result):
    before = (stored / RECORD).read_bytes()
    store.put(stored.name, SPEC, corpus, "cpu", replace(result, best_epoch=99))
    assert (stored / RECORD).read_bytes() == before and list(store.root.iterdir()) == [stored]
