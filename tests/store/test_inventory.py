import json
import os
import shutil
import time
from dataclasses import asdict, replace

import pytest
import torch

from replicate.errors import UnknownRun
from replicate.store import inventory
from replicate.store.inventory import NEWER, OLD, TeacherRun
from replicate.store.record import CHECKPOINT, PREDICTIONS, RECORD, digest
from replicate.store.store import EMBEDDINGS
from replicate.store.versions import FORMAT
from replicate.training.config import Arm
from tests.planted import put
from tests.small_runs import SPEC, seeds, teacher_outputs

KEY = "0123456789abcdef0123"


def rewrite(folder, change):
    """Change a record as a version of the code might write it, with the right hash."""
    record = json.loads((folder / RECORD).read_text())
    change(record)
    record["sha256"] = digest(record)
    (folder / RECORD).write_text(json.dumps(record))


def test_an_entry_has_the_values_of_the_record(store, corpus):
    key = put(store, SPEC, corpus)
    (entry,) = inventory.entries(store)
    size = sum(path.stat().st_size for path in (store.root / key).iterdir())
    assert asdict(entry) == {
        "key": key,
        "size": size,
        "arm": "speech",
        "protocol": "paper",
        "epochs": 3,  # of the learning curve
        "seed": 24,
        "corpus": "small",
        "device": "cpu",
        "dev_f1": 0.875,  # of the chosen epoch, the second of three
        "seconds": 1.25,
        "current": True,
        "damaged": None,
        "other_format": None,
    }


def test_entries_are_ordered_by_their_settings_and_not_by_their_keys(store, corpus):
    other = replace(SPEC, arm=replace(SPEC.arm, name="a arm", gnn_heads=3))
    for spec in (*seeds(26, 24, 25), other):
        put(store, spec, corpus)
    (store.root / KEY).mkdir()
    found = [(entry.arm, entry.seed) for entry in inventory.entries(store)]
    assert found == [("a arm", 24), ("speech", 24), ("speech", 25), ("speech", 26), ("", 0)]


def test_a_listing_reads_no_predictions(store, corpus):
    folder = store.root / put(store, SPEC, corpus)
    (folder / PREDICTIONS).unlink()
    assert inventory.entries(store)[0].damaged is None


def test_a_run_of_another_version_is_marked(store, corpus, monkeypatch):
    put(store, SPEC, corpus)
    monkeypatch.setattr(torch, "__version__", "0.0")
    assert not inventory.entries(store)[0].current


@pytest.mark.parametrize("content", ["", "[]", "{}", "null"])
def test_a_damaged_record_is_an_entry_with_the_damage(store, corpus, content):
    key = put(store, SPEC, corpus)
    (store.root / key / RECORD).write_text(content)
    (entry,) = inventory.entries(store)
    assert (entry.key, entry.arm, entry.current) == (key, "", False)
    assert entry.damaged is not None and key in entry.damaged and entry.size > 0


@pytest.mark.parametrize("change", [lambda r: r.pop("curve"), lambda r: r.update(curve=[]), lambda r: r.update(arm=1)])
def test_a_record_in_another_form_raises_no_other_error(store, corpus, change):
    folder = store.root / put(store, SPEC, corpus)
    rewrite(folder, change)
    damage = inventory.entries(store)[0].damaged or ""
    assert folder.name in damage and ("`$" in damage or "curve" in damage)


def test_a_store_that_is_not_there_or_empty_has_no_entries(store):
    assert inventory.entries(store) == inventory.keys(store) == inventory.embedded(store) == []
    store.root.mkdir()
    assert inventory.entries(store) == inventory.incomplete_files(store) == inventory.unknown_folders(store) == []


def test_a_unique_beginning_finds_a_run(store):
    for key in ("aa" + KEY[2:], "ab" + KEY[2:]):
        (store.root / key).mkdir(parents=True)
    assert inventory.find(store, "ab") == inventory.find(store, "ab" + KEY[2:]) == "ab" + KEY[2:]
    with pytest.raises(UnknownRun, match="begins with 'b'"):
        inventory.find(store, "b")
    with pytest.raises(UnknownRun, match=r"2 runs.*begin with 'a'.*give more"):
        inventory.find(store, "a")
    with pytest.raises(UnknownRun, match="begin with ''"):
        inventory.find(store, "")
    with pytest.raises(UnknownRun):
        inventory.find(store, "ab" + KEY[2:] + "0")


def test_a_folder_of_another_name_is_no_run(store):
    for name in ("notes", KEY[:-1], KEY.upper(), KEY + "0"):
        (store.root / name).mkdir(parents=True)
    assert inventory.keys(store) == inventory.entries(store) == []
    assert inventory.unknown_folders(store) == sorted(["notes", KEY[:-1], KEY.upper(), KEY + "0"])
    with pytest.raises(UnknownRun):
        inventory.find(store, "notes")


def test_teachers_are_followed_through_the_store(store, corpus):
    first = Arm("first", "AV", ("AV",), "AV", gnn_heads=2)
    second = Arm("second", "A", ("A",), "A", teacher=first, gnn_heads=2)
    specs = [replace(SPEC, arm=arm) for arm in (first, second, replace(SPEC.arm, teacher=second))]
    keys = [put(store, spec, corpus) for spec in specs]

    def with_teachers():
        return inventory.teachers(store, store.record(keys[2]))

    assert with_teachers() == [TeacherRun(keys[1], "second", True), TeacherRun(keys[0], "first", True)]
    assert inventory.teachers(store, store.record(keys[0])) == []
    shutil.rmtree(store.root / keys[0])
    assert with_teachers() == [TeacherRun(keys[1], "second", True), TeacherRun(keys[0], "first", False)]
    shutil.rmtree(store.root / keys[1])
    assert with_teachers() == [TeacherRun(keys[1], "second", False), TeacherRun("", "first", False)]


@pytest.mark.parametrize(("number", "expected"), [(None, OLD), (1, OLD), (FORMAT + 1, NEWER)])
def test_a_run_of_another_format_is_an_entry_that_names_it(store, corpus, number, expected):
    folder = store.root / put(store, SPEC, corpus)
    rewrite(folder, lambda record: record.pop("format") if number is None else record.update(format=number))
    (entry,) = inventory.entries(store)
    assert (entry.key, entry.other_format, entry.damaged, entry.current) == (folder.name, expected, None, False)
    assert inventory.damage(store, folder.name) is None


def test_damage_names_the_file(store, corpus):
    folder = store.root / put(store, SPEC, corpus)
    assert inventory.damage(store, folder.name) is None
    with (folder / CHECKPOINT).open("ab") as file:
        file.write(b"x")
    assert CHECKPOINT in (inventory.damage(store, folder.name) or "")


def test_embeddings_are_hashed(store):
    assert not store.embeddings_intact(KEY)
    store.teacher_outputs(KEY, lambda: teacher_outputs(torch.ones(2, 3)))
    assert inventory.embedded(store) == [KEY] and store.embeddings_intact(KEY)
    path = store.root / EMBEDDINGS / f"{KEY}.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert inventory.embedded(store) == [KEY] and not store.embeddings_intact(KEY)


def test_what_killed_processes_left_is_found_and_nothing_else(store):
    embeddings = store.root / EMBEDDINGS
    embeddings.mkdir(parents=True)
    folder, file = store.root / ".incomplete-0123-x", embeddings / f".{KEY}.safetensors.abc.safetensors"
    folder.mkdir()
    file.touch()
    for other in (store.root / ".locks", embeddings / ".bashrc", embeddings / f"{KEY}.safetensors"):
        other.mkdir()
    assert inventory.incomplete_files(store) == sorted([folder, file])
    assert inventory.incomplete_files(store, stale=True) == []
    os.utime(file, (time.time() - 3700,) * 2)
    assert inventory.incomplete_files(store, stale=True) == [file]


def test_a_size_is_that_of_all_files_and_of_no_link(tmp_path):
    (tmp_path / "in" / "deep").mkdir(parents=True)
    (tmp_path / "big").write_bytes(b"x" * 5000)
    (tmp_path / "in" / "a").write_bytes(b"x" * 3)
    (tmp_path / "in" / "deep" / "b").write_bytes(b"x" * 4)
    assert inventory.size(tmp_path / "in") == 7
    (tmp_path / "in" / "link").symlink_to(tmp_path / "big")
    assert inventory.size(tmp_path / "in") < 1000
    assert inventory.size(tmp_path / "absent") == 0
