"""Records that are consistent, with a right hash, but wrong: damaged, named, and no obstacle for the other runs."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from replicate.errors import CorruptRun, ReplicateError
from replicate.files import sha256
from replicate.store import inventory, prune
from replicate.store.record import CHECKPOINT, PREDICTIONS, RECORD, digest
from replicate.store.run import Run
from replicate.store.store import Store
from tests.memory import allocated
from tests.store.test_record import rewrite

DEEP: Any = []
for _ in range(900):
    DEEP = [DEEP]


def with_part(folder: Path, part: str, **changes: Any) -> None:
    """A record with other values in one of its parts."""
    rewrite(folder, **{part: json.loads((folder / RECORD).read_text())[part] | changes})


IMPOSSIBLE: dict[str, tuple[str, dict[str, Any], str]] = {
    "width": ("model", {"width": 10**9}, "width = 1000000000 is not from 1 to 1e.06"),
    "layers": ("model", {"context_layers": 10**7}, "context_layers"),
    "classes": ("model", {"classes": 3}, "model.classes = 3 where the corpus has 2 labels"),
    "speakers": ("model", {"speakers": 300}, "model.speakers = 300 where the corpus has 2"),
    "no width": ("model", {"width": 0}, "width = 0"),
    "arm name": ("arm", {"name": "\x1b[31mred"}, r"name has '\\x1b\[31mred'"),
    "window": ("arm", {"window": [-1, 5]}, "window = -1"),
    "dropout": ("arm", {"dropout": 2}, "dropout = 2"),
    "epochs": ("budget", {"epochs": 0}, "epochs = 0"),
    "rate": ("budget", {"learning_rate": float("nan")}, "learning_rate = nan"),
    "hash": ("corpus", {"hash": "../../x"}, "is no SHA-256"),
    "labels": ("corpus", {"labels": ["a", "a"]}, "labels are none, .* or repeated"),
    "no name": ("corpus", {"name": " "}, "name has a text without letters"),
    "no method": ("arm", {"distillation": {"a": 1}}, "method None, which is no name"),
    "method": ("arm", {"distillation": {"method": "\x1b[31m"}}, "which is no name"),
    "settings": ("arm", {"distillation": {"method": "logits", "a": [float("inf")]}}, "distillation has impossible"),
    "masking": (
        "protocol",
        {"masking": {"strategy": ["x" * 5000]}},
        "masking has impossible settings under 'strategy'",
    ),
    "recipes": ("corpus", {"recipes": {"audio": {"rate": 10**30}}}, "recipes has impossible settings under 'audio'"),
    "commit": ("provenance", {"git_commit": "main; rm -r x"}, "git_commit = 'main; rm -r x' is no commit"),
    "processor": ("provenance", {"processor": "\x1b[31m"}, "processor has .* no short, printable text"),
    "builds": ("provenance", {"builds": {"MKL": "x" * 5000}}, "builds has"),
    "long number": ("corpus", {"labels": [10**4000]}, "labels"),
}


@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_impossible_values_are_named(case: str, store: Store, saved: Path) -> None:
    part, changes, words = IMPOSSIBLE[case]
    with_part(saved, part, **changes)
    with pytest.raises(CorruptRun, match=rf"{saved.name} is damaged \(.*{words}") as caught:
        store.get(saved.name)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": -1},
        {"seed": 10**30},
        {"device": "tpu"},
        {"precision": "float8"},
        {"seconds": float("inf")},
        {"teacher_runs": ["../../other"]},
        {"streams": ["a" * 5000]},
        {"files": {PREDICTIONS: "short"}},
        {"versions": {"torch": "\x1b]0;title"}},
        {"versions": {"": "1"}},
        {"files": {"../../x": "0" * 64, "run.json": "0" * 64}},
        {"streams": [""]},
        {"streams": ["visual"]},
        {"curve": [{"epoch": 7, "train_loss": 1, "dev_loss": 1, "dev_f1": 1, "learning_rate": 0}], "best_epoch": 1},
        {"format": "x" * 10**6},
        {"curve": [{"epoch": 1, "train_loss": 1, "dev_loss": 1, "dev_f1": 2, "learning_rate": 0}], "best_epoch": 1},
    ],
)
def test_other_impossible_values_are_damage(changes: dict[str, Any], store: Store, saved: Path) -> None:
    rewrite(saved, **changes)
    with pytest.raises(CorruptRun, match=saved.name) as caught:
        store.get(saved.name)
    assert len(str(caught.value)) < 600


def test_a_damaged_record_with_a_nameless_version_is_no_obstacle(store: Store, saved: Path) -> None:
    rewrite(saved, versions={"": [1] * 1000})
    assert [entry.damaged is not None for entry in inventory.entries(store)] == [True]
    (removal,) = [each for each in prune.plan(store) if each.kind == "run"]
    assert removal.why.startswith("of another version") and len(removal.why) < 200


def test_a_run_of_another_arm_is_no_teacher(store: Store, saved: Path) -> None:
    """Its own teachers, of which it may have any number, are not followed."""
    arm = json.loads((saved / RECORD).read_text())["arm"]
    forged = {"arm": arm | {"unimodal_teachers": [arm | {"unimodal_teachers": [arm] * 20}] * 20}}
    rewrite(saved, **forged, teacher_runs=[saved.name] * 20)
    found = inventory.teachers(store, store.record(saved.name))
    assert len(found) == 20 * 21 and not any(each.present for each in found)


@pytest.mark.parametrize("content", [json.dumps({"versions": DEEP}), "[" * 10**6, '{"a":' * 10**5, "9" * 10**5])
def test_deep_json_is_damage_and_no_obstacle(content: str, store: Store, saved: Path) -> None:
    other = saved.with_name("0" * 20)
    other.mkdir()
    (other / RECORD).write_text(content)
    found = {entry.key: entry for entry in inventory.entries(store)}
    assert found[other.name].damaged is not None and f"{other.name} is damaged" in found[other.name].damaged
    assert found[saved.name].damaged is None and found[saved.name].arm == "speech"
    assert [removal.path for removal in prune.plan(store, damaged=True) if removal.kind == "run"] == [other.name]


def test_a_record_larger_than_any_is_not_read(store: Store, saved: Path) -> None:
    with (saved / RECORD).open("ab") as file:
        file.truncate(10**9)

    def read() -> None:
        with pytest.raises(CorruptRun, match="where no such file has more than 32 MiB"):
            store.get(saved.name)

    assert allocated(read) < 2**20


def test_a_model_of_other_sizes_than_the_weights_is_never_made(store: Store, saved: Path) -> None:
    with_part(saved, "model", feed_forward=10**6, context_layers=900)
    run = store.get(saved.name)
    assert run is not None
    with pytest.raises(CorruptRun, match=r"is of shape .* in the model of the record"):
        run.model()


def rewrite_predictions(folder: Path, change: Callable[[dict[str, Any]], object]) -> Run:
    """A run with other predictions and right hashes."""
    with np.load(folder / PREDICTIONS) as found:
        arrays = dict(found)
    change(arrays)
    np.savez_compressed(folder / PREDICTIONS, **arrays)
    return renewed(folder)


def renewed(folder: Path) -> Run:
    with_part(folder, "files", **{PREDICTIONS: sha256(folder / PREDICTIONS)})
    found = Store(folder.parent).get(folder.name)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda arrays: arrays.pop("test/A"), "test/A is not in the file"),
        (lambda arrays: arrays.pop("test/label"), "test/label is not in the file"),
        (lambda arrays: arrays.update({"test/A": arrays["test/A"][:1]}), r"test/A is of shape \(1, 2\) for 5 labels"),
        (lambda arrays: arrays.update({"test/A": arrays["test/A"] * np.nan}), "test/A has values that are impossible"),
        (lambda arrays: arrays.update({"test/A": arrays["test/A"] - np.inf}), "test/A has values that are impossible"),
        (lambda arrays: arrays.update({"test/A": arrays["test/A"] * 0}), "test/A has values that are impossible"),
        (lambda arrays: arrays.update({"test/A": -arrays["test/A"]}), "test/A has values that are impossible"),
        (lambda arrays: arrays.update({"test/A": arrays["test/A"] - 0.01}), "test/A has values that are impossible"),
        (lambda arrays: arrays.update({"test/label": arrays["test/label"] + 9}), "test/label has values"),
        (lambda arrays: arrays.update({"test/speaker": arrays["test/speaker"] - 9}), "test/speaker has values"),
        (lambda arrays: arrays.update({"test/dialogue": np.array([print] * 5, object)}), "test/dialogue is of shape"),
    ],
)
def test_predictions_that_do_not_fit_the_record_are_damage(change: Any, words: str, saved: Path) -> None:
    run = rewrite_predictions(saved, change)
    for read in (lambda: run.predictions("test", "A"), run.check):
        with pytest.raises(CorruptRun, match=words):
            read()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda arrays: arrays.update({name: arrays[name][:0] for name in arrays}), "train has no utterance"),
        (lambda arrays: arrays.update({"dev/A": -arrays["dev/A"]}), "dev/A (are not log|has values)"),
    ],
)
def test_a_check_reads_all_predictions(change: Any, words: str, saved: Path) -> None:
    renewed(saved).check()
    with pytest.raises(CorruptRun, match=words):
        rewrite_predictions(saved, change).check()


def test_a_check_reads_the_head_of_the_weights(saved: Path) -> None:
    run = renewed(saved)
    (saved / CHECKPOINT).write_bytes(b"\xff" * 100)
    with pytest.raises(CorruptRun, match=rf"{CHECKPOINT}: .*header"):
        run.check()


def test_predictions_that_unpack_to_gigabytes_are_refused(saved: Path) -> None:
    with zipfile.ZipFile(saved / PREDICTIONS, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        head = b"{'descr': '<f4', 'fortran_order': False, 'shape': (100000000, 2), }"
        for name in ("train/label.npy", "train/A.npy"):
            archive.writestr(name, b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head)
    run = renewed(saved)
    with pytest.raises(ReplicateError, match=r"2 times|follow"):
        run.log_prob("train", "A")


def test_the_hash_of_these_records_is_right(saved: Path) -> None:
    with_part(saved, "arm", name="other")
    record = json.loads((saved / RECORD).read_text())
    assert record["sha256"] == digest(record)
