import json
import os
import shutil
import time

import pytest
import torch

from replicate.errors import NotThisFormat
from replicate.experiment import results_folder
from replicate.store import prune
from replicate.store.prune import Removal
from replicate.store.record import CHECKPOINT, RECORD, digest
from replicate.store.store import EMBEDDINGS, LOCKS
from replicate.store.versions import FORMAT, shared
from tests.planted import put
from tests.small_runs import SPEC, seeds, teacher_outputs
from tests.store.test_record import rewrite

KEY = "0123456789abcdef0123"


@pytest.fixture
def key(store, corpus):
    return put(store, SPEC, corpus)


def old(path):
    """Let a path be two hours old."""
    os.utime(path, (time.time() - 7200,) * 2, follow_symlinks=False)


def going(store, **how):
    return [(removal.kind, removal.path, removal.why) for removal in prune.plan(store, **how)]


def carry_out(store, **how):
    return [prune.remove(store, removal) for removal in prune.plan(store, **how)]


def embed(store, key):
    store.teacher_outputs(key, lambda: teacher_outputs(torch.ones(2, 3)))
    return store.root / EMBEDDINGS / f"{key}.safetensors"


def test_a_sound_store_keeps_everything(store, key):
    path = embed(store, key)
    (store.root / LOCKS / f"{key}-embeddings").unlink()
    assert going(store, damaged=True, named={key}) == []
    assert path.is_file()


def test_runs_of_other_versions_are_counted_and_what_differs_is_named(store, saved, monkeypatch):
    assert prune.outdated(store) == prune.Outdated(0, 0, ())
    shutil.copytree(saved, store.root / ("0" * 20))
    rewrite(store.root / ("0" * 20), versions=shared() | {"code": "another"})
    assert prune.outdated(store) == prune.Outdated(0, 1, ("the code of this package",))
    shutil.copytree(saved, store.root / ("1" * 20))
    rewrite(store.root / ("1" * 20), format=FORMAT + 1)
    (store.root / "notes").mkdir()
    monkeypatch.setattr(torch, "__version__", "0.0")
    assert prune.outdated(store) == prune.Outdated(0, 2, ("torch", "the code of this package"))
    assert len([removal for removal in prune.plan(store) if removal.kind == "run"]) == 2


def test_runs_of_other_versions_are_removed_with_their_embeddings_and_locks(store, corpus, key, monkeypatch):
    embed(store, key)
    monkeypatch.setattr(torch, "__version__", "0.0")
    current = put(store, SPEC, corpus)
    assert current != key
    plan = prune.plan(store)
    assert (plan[0].kind, plan[0].path) == ("run", key) and plan[0].why.startswith("of another version: torch 2.")
    assert plan[0].size == sum(path.stat().st_size for path in (store.root / key).iterdir())
    assert [removal.kind for removal in plan] == ["run", "embeddings", "lock"]
    assert all(prune.remove(store, removal) for removal in plan)
    assert {path.name for path in store.root.rglob("*") if path.is_file()} == {
        path.name for path in (store.root / current).iterdir()
    }
    assert store.get(current) is not None and going(store, damaged=True, named={current}) == []


def test_damaged_runs_are_removed_with_the_option(store, key):
    (store.root / key / CHECKPOINT).write_bytes(b"")
    assert going(store) == []
    assert going(store, damaged=True) == [("run", key, "damaged")]
    assert carry_out(store, damaged=True) == [True]
    assert store.keys() == []


def test_a_run_whose_record_cannot_be_read_is_damaged_and_of_no_version(store, key):
    (store.root / key / RECORD).write_text("{")
    assert going(store) == []
    assert going(store, damaged=True) == [("run", key, "damaged")]


def reformat(store, key, number):
    path = store.root / key / RECORD
    record = json.loads(path.read_text()) | {"format": number}
    path.write_text(json.dumps(record | {"sha256": digest(record)}))


def test_runs_of_the_old_format_are_removed_and_those_of_a_newer_one_stay(store, corpus):
    old_key, newer = (put(store, spec, corpus) for spec in seeds(24, 25))
    reformat(store, old_key, FORMAT - 1)
    reformat(store, newer, FORMAT + 1)
    assert going(store, damaged=True, named=set()) == [("run", old_key, "old format")]
    assert carry_out(store) == [True] and store.keys() == [newer]


def test_unused_runs_are_removed_with_the_option(store, corpus):
    used, unused = (put(store, spec, corpus) for spec in seeds(24, 25))
    assert going(store) == []
    assert going(store, named={used, "of another store"}) == [("run", unused, "not used by any results")]
    assert carry_out(store, named={used}) == [True]
    assert store.keys() == [used]


def test_unused_runs_are_kept_while_a_process_uses_the_store(store, corpus, key):
    with store.lock(KEY, wait=False) as ours:
        assert ours and prune.locked(store) == {KEY}
        assert going(store, named=set()) == []
    assert prune.locked(store) == set()
    assert ("run", key, "not used by any results") in going(store, named=set())


@pytest.mark.parametrize("lock", ["", "-embeddings"])
def test_a_locked_run_is_never_removed(store, key, lock):
    removal = Removal("run", key, "", 0)
    with store.lock(key + lock, wait=False) as ours:
        assert ours and not prune.remove(store, removal)
        assert store.get(key) is not None
        assert not prune.remove(store, Removal("lock", f"{LOCKS}/{key}{lock}", "", 0))
        assert (store.root / LOCKS / f"{key}{lock}").is_file()
    assert prune.remove(store, removal)
    assert store.keys() == []


def test_embeddings_without_a_run_are_removed_unless_they_are_being_written(store, key):
    path, _ = embed(store, KEY), embed(store, key)
    assert ("embeddings", f"{EMBEDDINGS}/{KEY}.safetensors", "embeddings without a run") in going(store)
    (removal,) = (removal for removal in prune.plan(store) if removal.kind == "embeddings")
    with store.lock(f"{KEY}-embeddings", wait=False):
        assert not prune.remove(store, removal) and path.is_file()
    assert prune.remove(store, removal) and not path.exists()
    assert store.embeddings_intact(key)


def test_incomplete_files_are_removed_after_an_hour(store, key):
    (store.root / ".incomplete-0123-x" / "deep").mkdir(parents=True)
    (store.root / ".incomplete-0123-y").mkdir()
    old(store.root / ".incomplete-0123-x")
    assert going(store) == [("incomplete", ".incomplete-0123-x", "incomplete, of a killed process")]
    assert carry_out(store) == [True]
    assert sorted(path.name for path in store.root.iterdir()) == [".incomplete-0123-y", key]


def test_lock_files_that_are_not_held_are_removed(store):
    with store.lock(KEY, wait=False):
        pass
    (store.root / LOCKS / "notes").touch()
    assert going(store) == [("lock", f"{LOCKS}/{KEY}", "not held")]
    assert carry_out(store) == [True]
    assert [path.name for path in (store.root / LOCKS).iterdir()] == ["notes"]
    with store.lock(KEY, wait=False) as ours:
        assert ours and going(store) == []


def test_folders_that_are_no_runs_are_never_touched(store, key, monkeypatch):
    (store.root / "thesis").mkdir()
    (store.root / "thesis" / "final.tex").write_text("many years")
    monkeypatch.setattr(torch, "__version__", "0.0")
    carry_out(store, damaged=True, named=set())
    assert (store.root / "thesis" / "final.tex").read_text() == "many years"
    assert store.keys() == ["thesis"]


def test_nothing_outside_the_store_is_removed(store, tmp_path):
    """Links inside the store lead to a run, to an incomplete file, and to folders of embeddings and locks elsewhere."""
    outside = tmp_path / "outside"
    outside.mkdir()
    names = ("kept", f"{KEY}.safetensors", f".{KEY}.safetensors.x.safetensors", KEY)
    for name in names:
        (outside / name).write_text("")
        old(outside / name)
    store.root.mkdir()
    for link in (KEY, ".incomplete-0123-x", EMBEDDINGS, LOCKS):
        (store.root / link).symlink_to(outside, target_is_directory=True)
        old(store.root / link)
    assert [kind for kind, *_ in going(store, damaged=True, named=set())] == ["run", "incomplete"]
    assert carry_out(store, damaged=True, named=set()) == [True, True]
    assert sorted(path.name for path in store.root.iterdir()) == [LOCKS, EMBEDDINGS]
    assert set(names) <= {path.name for path in outside.iterdir()}


def test_results_name_their_runs(tmp_path):
    assert results_folder.named_runs(tmp_path) is None and results_folder.named_runs(tmp_path / "absent") is None
    for name, runs in (("a/manifest.json", ["1", "2"]), ("b/c/sweep-X.json", ["2", "3"]), ("b/table2.json", ["4"])):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"runs": runs}))
    assert results_folder.named_runs(tmp_path) == {"1", "2", "3"}


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"runs": 3}'])
def test_results_that_cannot_be_read_are_no_reason_to_remove_their_runs(tmp_path, content):
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(NotThisFormat, match="manifest"):
        results_folder.named_runs(tmp_path)
