import json
import shlex
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from replicate.errors import CannotWrite, CorruptRun
from replicate.experiment import wording
from replicate.runner import local
from replicate.runner.failures import FailedRuns
from replicate.runner.ray import Cluster
from replicate.store.record import CHECKPOINT, PREDICTIONS, RECORD
from replicate.store.store import Store
from tests.experiment.builders import plant, prepare


def test_a_second_corpus_of_the_same_name_gets_a_folder_of_its_own(tmp_path):
    first = prepare(tmp_path)
    assert first.folder == tmp_path / "synthetic-tiny" / "smoke-paper"
    first.folder.mkdir(parents=True)
    (first.folder / "manifest.json").write_text('{"corpus": {"hash": "of another"}}')
    assert first.folder == tmp_path / f"synthetic-tiny-{first.plan.corpus.hash[:8]}" / "smoke-paper"
    (tmp_path / "synthetic-tiny" / "smoke-paper" / "manifest.json").write_text(
        json.dumps({"corpus": {"hash": first.plan.corpus.hash}})
    )
    assert first.folder == tmp_path / "synthetic-tiny" / "smoke-paper"


def test_a_store_that_cannot_be_written_is_found_before_training(tmp_path):
    (tmp_path / "out").write_text("")
    command = prepare(tmp_path / "out")

    def on_progress(progress):
        pytest.fail("trained before looking")

    with pytest.raises(CannotWrite, match="out"):
        command.context.train(command.plan.graph, command.missing(), on_progress)


def test_every_run_gets_the_corpus_of_its_table(tmp_path, iemocap, monkeypatch):
    command = prepare(tmp_path, ("table4", "table3"), data=iemocap)
    asked = []
    monkeypatch.setattr(local, "run_all", lambda *arguments: asked.append(arguments) or FailedRuns())
    command.context.train(command.plan.graph, command.missing(), lambda progress: None)
    ((programs, corpora, store, device, jobs, _),) = asked
    assert {program.corpus for program in programs} == set(corpora) == {corpus.hash for corpus in corpora.values()}
    assert len(corpora) == 2 and (store.root, device, jobs) == (command.store.root, "cpu", 1)


def test_an_override_is_part_of_the_folder_and_of_the_command(tmp_path):
    command = prepare(tmp_path, protocol="paper+masking.unit=batch,triplet=n-way", seeds="24,")
    assert command.folder == tmp_path / "synthetic-tiny" / "smoke-paper+masking.unit=batch,triplet=n-way"
    assert shlex.split(command.text) == [
        *("replicate", "run", "table2", "--data", "synthetic-tiny", "--profile", "smoke"),
        *("--protocol", "paper+masking.unit=batch,triplet=n-way", "--seeds", "24,", "--device", "cpu"),
        *("--out", str(tmp_path)),
    ]
    default = replace(command.context, out=Path("results"), store=Store(Path("results").resolve() / "runs"))
    assert "--out" not in wording.command(command.plan, default)


def test_a_store_elsewhere_is_part_of_the_command(tmp_path):
    for where in (tmp_path / "there", "memory://bucket/runs"):
        words = shlex.split(prepare(tmp_path / "out", store=where).text)
        assert words[words.index("--store") + 1] == str(where)
    assert "--store" not in prepare(tmp_path / "out", store=tmp_path / "out" / "runs").text


@pytest.mark.parametrize("field", ["code", "torch"])
def test_runs_of_another_version_are_remarked_and_left_alone(tmp_path, monkeypatch, field):
    command = prepare(tmp_path, ("table4",), seeds="24,")
    plant(command)
    assert command.remarks() == [] and command.missing() == []
    before = {path: path.read_bytes() for path in (tmp_path / "runs").rglob("*") if path.is_file()}
    if field == "torch":
        monkeypatch.setattr(torch, "__version__", "0.0")
    else:
        monkeypatch.setattr("replicate.store.versions.code_version", lambda: "another")
    later = prepare(tmp_path, ("table4",), seeds="24,")
    assert len(later.missing(repair=True)) == 4
    (remark,) = later.remarks()
    assert remark.startswith(f"4 runs in {tmp_path / 'runs'} are of another version") and "runs prune" in remark
    assert {path: path.read_bytes() for path in (tmp_path / "runs").rglob("*") if path.is_file()} == before


def test_damaged_runs_are_named_and_nothing_is_touched(tmp_path):
    command = prepare(tmp_path, ("table4",), seeds="24,")
    plant(command)
    first, second, third, _ = command.plan.tasks
    (command.store.root / second / CHECKPOINT).write_bytes(b"")
    with pytest.raises(CorruptRun, match=rf"{second} is damaged.*--repair trains it again$"):
        command.missing()
    (command.store.root / third / RECORD).write_text("{}")
    shutil.rmtree(command.store.root / first)
    with pytest.raises(CorruptRun, match=rf"{second} is damaged.*; also damaged: {third}$"):
        command.missing()
    assert (command.store.root / second / CHECKPOINT).read_bytes() == b""
    assert [task.key for task in command.missing(repair=True)] == [first, second, third]
    assert [task.key for task in command.missing()] == [first, second, third]


def test_a_repaired_run_has_the_same_bits(two_tables, tmp_path):
    command = prepare(tmp_path, ("table9",), seeds="24,")
    command.context.train(command.plan.graph, command.missing(), lambda progress: None)
    (key,) = command.plan.tasks
    folder = command.store.root / key
    before = {name: (folder / name).read_bytes() for name in (CHECKPOINT, PREDICTIONS)}
    (folder / CHECKPOINT).write_bytes(before[CHECKPOINT][:-1])
    todo = command.missing(repair=True)
    assert [task.key for task in todo] == [key] and not folder.exists()
    assert command.context.train(command.plan.graph, todo, lambda progress: None).seconds > 0
    assert {name: (folder / name).read_bytes() for name in before} == before
    assert command.missing() == []
    (result,) = command.tables()
    assert result.rows["Base"]["A"].summary.n == 1


def test_a_description_names_where_runs_are_trained(tmp_path):
    command = prepare(tmp_path, jobs=2)
    plan, context = command.plan, command.context
    here = wording.describe(plan, context, 12, 12)
    assert "2 at a time" in here and "Ray" not in here
    on_ray = replace(context, cluster=Cluster("auto"))
    assert "the Ray cluster at auto" in wording.describe(plan, on_ray, 12, 12)
    assert "2 seeds as one program" in wording.describe(replace(plan, stacked=True), context, 12, 12)


def test_a_remote_store_is_shared(tmp_path):
    address = f"file://{tmp_path / 'there'}"
    command = prepare(tmp_path / "out", store=address)
    plant(command)
    elsewhere = prepare(tmp_path / "elsewhere", store=address)
    assert elsewhere.missing() == [] and prepare(tmp_path / "third").missing()
    assert elsewhere.values() == command.values()
