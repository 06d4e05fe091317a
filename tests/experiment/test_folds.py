import csv
import io
import json
import shlex
from dataclasses import replace

import numpy as np
import pytest

from export.bundle.select import choose
from replicate.corpus.synthetic import generate
from replicate.errors import BadFolds, MissingClass, NothingToExport
from replicate.experiment import collect, wording
from replicate.experiment.completed import CompletedRuns
from replicate.experiment.resume import from_manifest
from replicate.report import data_files, tables
from replicate.runner.failures import Failure, by_cause, failed
from tests.experiment.builders import plant, prepare

SESSIONS = ("Syn01", "Syn02", "Syn03", "Syn04", "Syn05")


@pytest.fixture
def command(tmp_path):
    """Two seeds in five folds; runs of the second seed have a wrong prediction in every fold."""
    made = prepare(tmp_path, folds="session", seeds="24,25")
    plant(made, lambda spec: spec.seed - 24)
    return made


def test_every_fold_trains_its_own_runs(command, tmp_path):
    plan = command.plan
    without = prepare(tmp_path).plan.tasks
    assert len(plan.tasks) == 5 * len(without) and not set(plan.tasks) & set(without)
    names = [task.name for task in plan.tasks.values()]
    assert names[0] == "COGMEN-A, fold 1 of 5: Syn01, seed 24" and len(set(names)) == len(names)
    assert command.missing() == []


def test_teachers_are_of_the_same_fold(command):
    tasks = command.plan.tasks
    pairs = [(task, tasks[teacher]) for task in tasks.values() for teacher in task.teachers]
    assert len(pairs) == 10
    assert all(student.fold == teacher.fold and student.corpus == teacher.corpus for student, teacher in pairs)


def test_a_cell_is_over_seeds_and_folds(command):
    (result,) = command.tables()
    assert (result.folds, result.divided, result.runs_per_cell) == (SESSIONS, "session", 10)
    cell = result.rows["COGMEN-Mask"]["AV"]
    lengths = [sum(map(len, fold.corpus.split("test"))) for fold in command.plan.folds_of(command.plan.tables[0])]
    np.testing.assert_allclose(cell.scores("accuracy"), [[1] * 5, [1 - 1 / n for n in lengths]])
    assert cell.summary.n == 10 and cell.summary.mean == pytest.approx(np.mean(cell.scores("weighted_f1")))
    assert sorted(cell.dialogues) == sorted(d.id for d in command.plan.corpus.dialogues)
    assert [cell.dialogues[i][:5] for i in np.flatnonzero(np.diff(cell.fold, prepend=-1))] == list(SESSIONS)
    runs = command.completed.of_row(command.plan.tables[0], command.plan.tables[0].rows[0])
    assert [run.record.seed for run in runs] == [24] * 5 + [25] * 5
    assert result.rows["COGMEN-A"]["A"].runs == tuple(run.record.key for run in runs)


def test_the_teachers_of_a_cell_are_those_of_all_its_runs(command):
    (result,) = command.tables()
    student, mask = (result.rows[name]["A"] for name in ("student of COGMEN-Mask", "COGMEN-Mask"))
    assert student.teachers == set(mask.runs) and mask.teachers == frozenset()


def test_files_name_the_folds(command):
    (result,) = command.tables()
    lines = list(csv.DictReader(io.StringIO(data_files.scores_csv([result]))))
    first = [line for line in lines if (line["row"], line["metric"]) == ("COGMEN-A", "accuracy")]
    assert [(line["seed"], line["fold"]) for line in first] == [(s, fold) for s in ("24", "25") for fold in SESSIONS]
    assert [float(line["value"]) for line in first[:5]] == [1] * 5
    assert json.loads(data_files.table_json(result))["folds"] == {"how": "session", "names": list(SESSIONS)}
    markdown = tables.markdown(result)
    assert "over n = 10 runs: 2 seeds (24, 25) x 5 folds; epoch" in markdown
    assert "Folds: each session is the test split once (Syn01, Syn02, Syn03, Syn04, Syn05). A cell is" in markdown
    assert "| COGMEN-A | 10 |" in markdown


def test_published_numbers_are_not_judged_on_other_splits(command):
    corpus = replace(command.plan.corpus, published=True)
    made = command.change(corpus=corpus)
    (result,) = made.tables()
    assert {cell.verdict for row in result.rows.values() for cell in row.values()} == {None}
    assert "Other splits than the paper's: its numbers are for orientation, no verdict." in tables.markdown(result)


def test_the_folds_are_part_of_the_folder_the_command_and_the_line_on_the_plan(command):
    assert command.folder.name == "smoke-paper-folds-session"
    words = shlex.split(command.text)
    assert words[words.index("--folds") + 1] == "session"
    line = wording.describe(command.plan, command.context, 60, 0)
    assert line.startswith("table2 on synthetic-tiny in 5 folds (Syn01, Syn02, Syn03, Syn04, Syn05): 60 runs, 60 compl")


def test_a_manifest_gives_the_folds_back_and_their_runs_are_not_exported(command):
    manifest = command.write_manifest()
    assert (manifest.folds, manifest.deployable, len(manifest.runs)) == ("session", (), 60)
    assert list(manifest.test_splits)[1] == "fold 2 of 5: Syn02"
    assert {id_[:5] for id_ in manifest.test_splits["fold 2 of 5: Syn02"]} == {"Syn02"}
    completed, _ = from_manifest(command.folder)
    (again,), (first,) = collect.tables(completed), command.tables()
    assert again.folds == SESSIONS
    assert again.rows["COGMEN-A"]["A"].values == first.rows["COGMEN-A"]["A"].values
    with pytest.raises(NothingToExport, match=r"are of folds \(session\).*export a run without --folds"):
        choose(command.folder)


def test_a_failure_names_its_fold(command):
    task = next(iter(command.plan.tasks.values()))
    runs = failed([task, replace(task, spec=replace(task.spec, seed=25))], Failure("ValueError", "no"))
    assert str(runs[0]) == "COGMEN-A, fold 1 of 5: Syn01, seed 24 failed: ValueError: no"
    assert by_cause(runs) == ["COGMEN-A, fold 1 of 5: Syn01: 2 seeds (24-25): ValueError: no"]
    completed = CompletedRuns(command.plan, command.store, {runs[0].key: runs[0]})
    (result,) = collect.tables(completed)
    # A cell needs the runs of all folds.
    assert result.rows["COGMEN-A"] == {} and "ValueError" in result.failed["COGMEN-A"]


def test_dev_rotates_while_test_stays(tmp_path):
    made = prepare(tmp_path, folds="dev-2", seeds="24,")
    plant(made)
    cell = made.tables()[0].rows["COGMEN-A"]["A"]
    test = [dialogue.id for dialogue in made.plan.corpus.split("test")]
    assert cell.same_dialogues and cell.resampled.stratum.tolist() == [0] * len(test)
    assert list(cell.dialogues) == 2 * test and cell.fold.tolist() == [i for i in range(2) for _ in test]


def test_a_corpus_without_splits_can_be_divided(tmp_path):
    corpus = generate("synthetic-tiny")
    whole = replace(corpus, dialogues=tuple(replace(d, split="train") for d in corpus.dialogues))
    made = prepare(tmp_path, data=whole, folds="session", seeds="24,")
    assert set(made.plan.tasks) == set(prepare(tmp_path, folds="session", seeds="24,").plan.tasks)


@pytest.mark.parametrize(("how", "error"), [("sesion", BadFolds), ("7", BadFolds), ("dev-5", MissingClass)])
def test_impossible_folds_are_found_before_anything_is_done(tmp_path, how, error):
    with pytest.raises(error):
        prepare(tmp_path / "out", folds=how)
    assert not (tmp_path / "out").exists()


def test_dialogues_that_a_table_leaves_out_are_dropped_before_dev_is_chosen(tmp_path, iemocap):
    made = prepare(tmp_path, ("table4",), data=iemocap, folds="3", seeds="24,")
    (table,) = made.plan.tables
    left = set(table.leave_out)
    for fold in made.plan.folds_of(table):
        assert not {dialogue.id for dialogue in fold.corpus.dialogues} & left
