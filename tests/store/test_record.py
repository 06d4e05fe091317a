"""Records of runs: their formats, and the message for every wrong value."""

import json
from dataclasses import replace

import pytest

from replicate.errors import CorruptRun, NewerFormat, OldFormat
from replicate.provenance import Provenance
from replicate.store import prune
from replicate.store.record import CHECKPOINT, PREDICTIONS, RECORD, RunRecord, digest
from replicate.store.versions import FORMAT
from tests.small_runs import SPEC


@pytest.mark.parametrize(
    ("old", "new"), [('"seed": 24', '"seed": 25'), ('"best_epoch": ', '"best_epoch": 1'), ("{", "")]
)
def test_a_changed_record_is_found(store, saved, old, new):
    content = (saved / RECORD).read_text()
    (saved / RECORD).write_text(content.replace(old, new, 1))
    with pytest.raises(CorruptRun, match=saved.name):
        store.get(saved.name)


@pytest.mark.parametrize("content", ["[]", "3", "null", "{}", '{"files": null}', '{"files": {}}'])
def test_a_record_of_something_else_is_found(store, saved, content):
    (saved / RECORD).write_text(content)
    with pytest.raises(CorruptRun):
        store.get(saved.name)


def rewrite(folder, without=(), **changes):
    """Another record with a right hash."""
    record = json.loads((folder / RECORD).read_text()) | changes
    record = {name: value for name, value in record.items() if name not in without}
    record["sha256"] = digest(record)
    (folder / RECORD).write_text(json.dumps(record))


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"versions": 3}'])
def test_a_record_that_cannot_be_read_is_of_no_version(store, saved, content):
    (saved / RECORD).write_text(content)
    assert store.version_of(saved.name) is None and prune.outdated(store).others == 0


def test_a_record_that_could_not_be_read_is_never_saved(store, corpus, result):
    with pytest.raises(ValueError, match="seed"):
        store.put("run", replace(SPEC, seed="24"), corpus, "cpu", result)
    assert store.keys() == []


def test_a_record_without_names_of_speakers_is_read(store, saved):
    content = json.loads((saved / RECORD).read_text())
    del content["corpus"]["speakers"]
    rewrite(saved, corpus=content["corpus"])
    run = store.get(saved.name)
    assert run.record.corpus.speakers == ()
    assert set(run.predictions("test", "A").to_pandas().speaker) <= {0, 1}


def test_a_record_without_provenance_is_read_and_used(store, saved):
    assert store.get(saved.name).record.provenance == Provenance.this("cpu")
    rewrite(saved, without=("provenance",))
    assert store.get(saved.name).record.provenance is None and store.missing([saved.name]) == []


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
