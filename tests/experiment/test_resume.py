import json
from dataclasses import replace
from pathlib import Path

import pytest

from replicate.corpus.archive import write as write_corpus
from replicate.corpus.synthetic import generate
from replicate.errors import NewerFormat, NotThisFormat, OldFormat, UnknownCorpus
from replicate.experiment.manifest import FORMAT
from replicate.experiment.resume import from_manifest, with_earlier_tables, write_manifest
from replicate.runner.failures import FailedRun
from replicate.store.record import CHECKPOINT
from tests.experiment.builders import Command, plant, prepare


def completed(out, *names, **options):
    """A command whose runs and manifest are saved."""
    command = prepare(out, names, **options)
    plant(command)
    command.write_manifest()
    return command


def resumed(folder):
    """The command behind a results folder."""
    found, context = from_manifest(folder)
    return Command(found.plan, context)


def joined(command):
    """The command with the tables that were completed earlier."""
    return Command(with_earlier_tables(command.completed, command.context).plan, command.context)


def same(one, other):
    names = ("tables", "profile", "protocol", "seeds", "source", "keep_dropped", "tasks")
    return all(getattr(one.plan, name) == getattr(other.plan, name) for name in names) and (
        one.plan.corpus.hash == other.plan.corpus.hash
    )


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"seeds": "7,"},
        {"seeds": "25,24", "protocol": "paper+masking.unit=batch"},
        {"protocol": "released", "keep_dropped": True},
    ],
)
def test_a_manifest_gives_its_plan_back(tmp_path, options):
    command = completed(tmp_path / "out", "table4", "table3", **options)
    again = resumed(command.folder)
    assert same(again, command) and again.folder.resolve() == command.folder.resolve()
    assert again.missing() == []
    assert again.values() == command.values()


def test_a_corpus_of_ones_own_is_found_from_elsewhere(tmp_path, monkeypatch):
    write_corpus(replace(generate("synthetic-tiny"), name="mine"), tmp_path / "mine.npz")
    monkeypatch.chdir(tmp_path)
    command = completed(Path("out"), "table4", data="mine.npz")
    folder = command.folder.resolve()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert resumed(folder).missing() == []


def test_a_corpus_that_has_changed_is_refused(tmp_path):
    source = replace(generate("synthetic-tiny"), name="mine")
    write_corpus(source, tmp_path / "mine.npz")
    command = completed(tmp_path / "out", "table4", data=tmp_path / "mine.npz")
    write_corpus(replace(source, dialogues=source.dialogues[:-1]), tmp_path / "mine.npz")
    with pytest.raises(UnknownCorpus, match="mine has changed"):
        from_manifest(command.folder)
    (tmp_path / "mine.npz").unlink()
    with pytest.raises(UnknownCorpus):
        from_manifest(command.folder)


@pytest.mark.parametrize("content", ["", "[]", '{"format": "2"}', '{"format": 2, "tables": 3}', "null"])
def test_a_broken_manifest_is_named(tmp_path, content):
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(NotThisFormat, match=r"manifest\.json"):
        from_manifest(tmp_path)


@pytest.mark.parametrize(("number", "error"), [(None, OldFormat), (FORMAT - 1, OldFormat), (FORMAT + 1, NewerFormat)])
def test_a_manifest_of_another_format_is_named_and_left_alone(tmp_path, number, error):
    folder = completed(tmp_path, "table4", seeds="24,").folder
    content = json.loads((folder / "manifest.json").read_text()) | {"format": number}
    content = {key: value for key, value in content.items() if value is not None or key != "format"}
    (folder / "manifest.json").write_text(json.dumps(content))
    with pytest.raises(error, match=r"manifest\.json was written by an? (older|newer) version"):
        from_manifest(folder)
    assert names(joined(prepare(tmp_path, ("table3",), seeds="24,"))) == ["table3"]
    assert json.loads((folder / "manifest.json").read_text()) == content


def test_runs_that_failed_are_remembered(tmp_path):
    command = prepare(tmp_path, ("table4",), seeds="24,")
    plant(command)
    key, task = list(command.plan.tasks.items())[-1]
    command.store.remove(key)
    failed = FailedRun(key, task.name, "diverged", "the loss is not a number")
    manifest = write_manifest(replace(command.completed, failed={key: failed}), command.context, 1.0)
    assert manifest.failed == (failed,) and key in manifest.runs and key not in manifest.deployable
    found, _ = from_manifest(command.folder)
    assert found.failed == {key: failed}
    # Its table stays in the folder when another command writes there, until the run is complete.
    later = prepare(tmp_path, ("table3",), seeds="24,")
    plant(later)
    both = with_earlier_tables(later.completed, later.context)
    assert [table.name for table in both.plan.tables] == ["table3", "table4"] and both.failed == {key: failed}
    plant(command)
    assert with_earlier_tables(command.completed, command.context).failed == {}


@pytest.mark.parametrize("key", ["tables", "seeds", "source", "store", "corpus", "keep_dropped", "protocol", "device"])
def test_a_manifest_that_lacks_something_is_named(tmp_path, key):
    folder = completed(tmp_path, "table4", seeds="24,").folder
    content = json.loads((folder / "manifest.json").read_text())
    del content[key]
    (folder / "manifest.json").write_text(json.dumps(content))
    with pytest.raises(NotThisFormat, match=key):
        from_manifest(folder)


def names(command):
    return [table.name for table in command.plan.tables]


def test_tables_that_were_completed_earlier_are_included(tmp_path):
    completed(tmp_path, "table4")
    later = prepare(tmp_path, ("table3",))
    plant(later)
    both = joined(later)
    assert names(both) == ["table3", "table4"] and names(later) == ["table3"]
    assert set(both.plan.tasks) > set(later.plan.tasks) and both.missing() == []
    # In the order of the paper, and a table that is requested again is there once.
    assert names(joined(prepare(tmp_path, ("table4", "table3")))) == ["table3", "table4"]


@pytest.mark.parametrize(
    "options", [{"seeds": "24,"}, {"seeds": "25,24"}, {"protocol": "released"}, {"keep_dropped": True}]
)
def test_tables_of_other_conditions_are_left_out(tmp_path, options):
    completed(tmp_path, "table4")
    assert names(joined(prepare(tmp_path, ("table2",), **options))) == ["table2"]


def test_without_a_manifest_there_are_no_earlier_tables(tmp_path):
    command = prepare(tmp_path, ("table2",))
    assert names(joined(command)) == ["table2"]
    command.folder.mkdir(parents=True)
    for content in ("", "{}", "[]", '{"seeds": [24, 25], "device": "cpu"}'):
        (command.folder / "manifest.json").write_text(content)
        assert names(joined(command)) == ["table2"]


@pytest.mark.parametrize("damage", ["missing", "damaged"])
def test_a_table_that_lacks_a_run_is_left_out(tmp_path, damage):
    earlier = completed(tmp_path, "table4")
    key = next(iter(earlier.plan.tasks))
    if damage == "missing":
        earlier.store.remove(key)
    else:
        (earlier.store.root / key / CHECKPOINT).write_bytes(b"")
    assert names(joined(prepare(tmp_path, ("table3",)))) == ["table3"]


def test_a_table_that_no_longer_exists_is_left_out(tmp_path):
    folder = completed(tmp_path, "table4").folder
    content = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(content | {"tables": ["table4", "table9"]}))
    assert names(joined(prepare(tmp_path, ("table3",)))) == ["table3", "table4"]
