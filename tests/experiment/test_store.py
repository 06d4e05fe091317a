import errno
import shutil
from dataclasses import asdict, fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch

import replicate
from replicate.corpus.types import SPLITS
from replicate.errors import CannotWrite, CorruptRun, DiskFull
from replicate.experiment import store as store_module
from replicate.experiment.store import CHECKPOINT, PREDICTIONS, RECORD, code_version, run_key
from replicate.training.data import scales, tensors
from replicate.training.run import predict
from replicate.training.settings import Arm, Budget, Masking, Protocol

from .conftest import SPEC

MASKED = replace(SPEC, arm=replace(SPEC.arm, train="AV", masked=True))


def key(spec, corpus, device="cpu"):
    return run_key(spec, corpus, device)


def other(value):
    """Another value of the same kind."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    return value + "x" if isinstance(value, str) else value + value[:1]


def names(cls, *without):
    return [f.name for f in fields(cls) if f.name not in ("name", *without)]


@pytest.mark.parametrize("field", names(Arm))
def test_every_knob_of_an_arm_decides_the_key(corpus, field):
    moved = replace(MASKED, arm=replace(MASKED.arm, **{field: other(getattr(MASKED.arm, field))}))
    assert key(moved, corpus) != key(MASKED, corpus)


@pytest.mark.parametrize("field", names(Budget))
def test_every_knob_of_a_budget_decides_the_key(corpus, field):
    moved = replace(SPEC, budget=replace(SPEC.budget, **{field: other(getattr(SPEC.budget, field))}))
    assert key(moved, corpus) != key(SPEC, corpus)


@pytest.mark.parametrize("field", names(Protocol, "masking"))
def test_every_knob_of_a_protocol_decides_the_key(corpus, field):
    moved = replace(SPEC, protocol=replace(SPEC.protocol, **{field: other(getattr(SPEC.protocol, field))}))
    assert key(moved, corpus) != key(SPEC, corpus)


@pytest.mark.parametrize("field", names(Masking))
def test_masks_decide_the_key_of_masked_arms_alone(corpus, field):
    masking = replace(Masking(), **{field: other(getattr(Masking(), field))})
    moved, plain = (replace(spec, protocol=replace(spec.protocol, masking=masking)) for spec in (MASKED, SPEC))
    assert key(moved, corpus) != key(MASKED, corpus)
    assert key(plain, corpus) == key(SPEC, corpus)


def test_seed_device_corpus_torch_and_code_decide_the_key(corpus, monkeypatch):
    first = corpus.dialogues[0]
    moved = {name: array + 1 for name, array in first.features.items()}
    keys = {
        key(SPEC, corpus),
        key(replace(SPEC, seed=25), corpus),
        key(SPEC, corpus, "cuda"),
        key(SPEC, replace(corpus, dialogues=(replace(first, features=moved), *corpus.dialogues[1:]))),
        key(SPEC, replace(corpus, standardise=False)),
    }
    with monkeypatch.context() as patch:
        patch.setattr(torch, "__version__", "0.0")
        keys.add(key(SPEC, corpus))
    monkeypatch.setattr(store_module, "code_version", lambda: "0")
    keys.add(key(SPEC, corpus))
    assert len(keys) == 7


def test_names_do_not_decide_the_key(corpus):
    renamed = replace(SPEC, arm=replace(SPEC.arm, name="x"), protocol=replace(SPEC.protocol, name="y"))
    assert key(renamed, replace(corpus, name="z")) == key(SPEC, corpus)


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
    with pytest.raises(CorruptRun, match="delete it"):
        store.get(stored.name)
    (stored / name).unlink()
    with pytest.raises(CorruptRun, match="delete it"):
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


@pytest.mark.parametrize(
    ("file", "old", "new", "same"),
    [
        ("model/graph.py", "BLOCK = 16", "BLOCK  =  16  # why not", True),
        ("model/graph.py", '"""The window graph', '"""A window graph', True),
        ("training/run.py", '"""One optimiser step', '"""A step', True),
        ("training/parity.py", "TOLERANCE = 1e-5", "TOLERANCE = 1e-4", True),
        ("experiment/store.py", "[:16]", "[:17]", True),
        ("model/graph.py", "BLOCK = 16", "BLOCK = 32", False),
        ("training/run.py", '"min")', '"max")', False),
        ("rng.py", ">> 1", ">> 2", False),
    ],
)
def test_the_code_version_is_of_code_that_decides_numbers(tmp_path, monkeypatch, file, old, new, same):
    copy = tmp_path / "replicate"
    shutil.copytree(Path(replicate.__file__).parent, copy, ignore=shutil.ignore_patterns("__pycache__", "_tables"))
    monkeypatch.setattr(replicate, "__file__", str(copy / "__init__.py"))
    before = code_version.__wrapped__()
    content = (copy / file).read_text(encoding="utf-8")
    assert old in content
    (copy / file).write_text(content.replace(old, new, 1), encoding="utf-8")
    assert (code_version.__wrapped__() == before) is same
