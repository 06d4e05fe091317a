import json
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import f1_score

from replicate.config.arms import arms
from replicate.config.requirements import PRIVILEGED
from replicate.config.tables import Row
from replicate.corpus.archive import write
from replicate.corpus.synthetic import generate
from replicate.errors import CorruptRun
from replicate.results import aggregate
from replicate.store.record import PREDICTIONS
from tests.experiment.builders import plant, prepare
from tests.experiment.conftest import LEFT_OUT


def test_cells_are_the_f1_of_the_saved_predictions(completed):
    assert completed.missing() == []
    (result,) = completed.tables()
    assert {name: list(cells) for name, cells in result.rows.items()} == {
        "COGMEN-A": ["A"],
        "COGMEN-AV": ["A", "AV"],
        "COGMEN-Mask": ["A", "AV"],
        "student of COGMEN-Mask": ["A"],
        "COGMEN-A + Mask": ["A"],
        "COGMEN-Mask, more context layers": ["A", "AV"],
    }
    assert (result.needs, result.companion) == ({}, {})
    truth = np.concatenate([d.labels for d in completed.plan.corpus.split("test")])
    rows = {row.name: row.arm.name for row in completed.plan.tables[0].rows}
    tasks = {task.name: task for task in completed.plan.tasks.values()}
    for name, cells in result.rows.items():
        for context, cell in cells.items():
            values, classes = [], []
            for seed in (24, 25):
                task = tasks[f"{rows[name]}, seed {seed}"]
                with np.load(completed.store.root / task.key / PREDICTIONS) as arrays:
                    predicted = arrays[f"test/{context}"].argmax(1)
                values.append(f1_score(truth, predicted, average="weighted"))
                classes.append(tuple(f1_score(truth, predicted, average=None, labels=range(4), zero_division=0)))
            assert cell.values == pytest.approx(values)
            assert cell.by_class == tuple(map(pytest.approx, classes))
            assert cell.summary.mean == pytest.approx(sum(values) / 2)
            assert cell.summary.std == pytest.approx(abs(values[0] - values[1]) / 2**0.5)
            assert cell.verdict is None


def test_values_follow_the_order_of_the_seeds(smoke_out, completed):
    backwards = prepare(smoke_out, seeds="25,24")
    assert backwards.missing() == [] and backwards.plan.seeds == (25, 24)
    (forth,), (back,) = completed.tables(), backwards.tables()
    for name, cells in forth.rows.items():
        for context, cell in cells.items():
            assert back.rows[name][context].values == cell.values[::-1]


def test_published_values_are_judged_on_their_own_corpus_only(completed):
    (result,) = completed.tables()
    assert result.rows["COGMEN-AV"]["A"].published == 0.426
    assert {cell.verdict for row in result.rows.values() for cell in row.values()} == {None}
    (judged,) = completed.change(corpus=replace(completed.plan.corpus, published=True)).tables()
    for row in judged.rows.values():
        for cell in row.values():
            near = abs(cell.published - cell.summary.mean) <= 2 * cell.summary.std
            assert cell.verdict == ("inside" if near else "outside")


def test_a_table_says_whether_published_numbers_are_of_its_corpus_and_what_it_is_a_control_of(completed):
    (result,) = completed.tables()
    assert (result.control, result.published_for, result.shows_published) == ("positive", "", False)
    assert result.to_pandas()["published"].isna().all()
    renamed = tuple(
        replace(each, id=f"Ses{i // 9 + 1:02d}F_impro{i:02d}") for i, each in enumerate(completed.plan.corpus.dialogues)
    )
    of_iemocap = replace(completed.plan.corpus, dialogues=renamed, control="")
    assert aggregate.published_for(of_iemocap) == "features"
    assert aggregate.published_for(replace(of_iemocap, published=True)) == "release"
    assert aggregate.published_for(replace(of_iemocap, control="positive")) == ""


def test_a_table_names_its_conditions(completed):
    (result,) = completed.tables()
    assert (result.corpus, result.corpus_hash) == ("synthetic-tiny", completed.plan.corpus.hash)
    assert (result.profile, result.protocol, result.seeds) == ("smoke", "paper", (24, 25))
    assert result.notes == completed.plan.corpus.notes and "positive control" in result.notes[0]


def test_two_rows_may_name_one_arm(completed):
    (table,) = completed.plan.tables
    twice = replace(table, rows=(*table.rows, Row("again", arms()["COGMEN-A"], ("A",))))
    again = completed.change(tables=(twice,))
    assert again.plan.tasks == completed.plan.tasks
    (result,) = again.tables()
    assert result.rows["again"]["A"].values == result.rows["COGMEN-A"]["A"].values


def test_table_1_trains_one_teacher_for_its_three_students(tmp_path):
    command = prepare(tmp_path, ("table1",), seeds="24,")
    assert [task.name for task in command.plan.tasks.values()] == [
        f"{arm}, seed 24" for arm in ("Teacher-AV", "Student-A", "Student-A-2-layers", "Student-A-3-heads")
    ]
    plant(command, lambda spec: 3 * (spec.arm.teacher is not None))
    (result,) = command.tables()
    teachers = [cells["AV"] for name, cells in result.rows.items() if "teacher" in name]
    assert len(teachers) == 3 and len({cell.values for cell in teachers}) == 1
    assert [(cell.published, cell.published_std) for cell in teachers] == [
        (0.6099, 0.0197),
        (0.644, 0.02),
        (0.6112, 0.0072),
    ]


def test_the_files_of_a_command_hold_its_numbers(completed, smoke_results):
    (result,) = completed.tables()
    saved = json.loads((smoke_results / "table2.json").read_text())
    assert saved["rows"][2]["cells"]["AV"]["values"] == list(result.rows["COGMEN-Mask"]["AV"].values)


def test_tables_of_hubert_leave_dialogues_out(tmp_path, iemocap):
    command = prepare(tmp_path, ("table2", "table4"), data=iemocap)
    two, four = map(command.plan.corpus_of, command.plan.tables)
    assert two is command.plan.corpus and len(four.dialogues) == 27 and len(two.dialogues) == 30
    assert not {d.id for d in four.dialogues} & set(LEFT_OUT.values())
    assert command.plan.corpus_of(command.plan.tables[1]) is four  # hashed once
    # COGMEN-A of table 2 and of table 4 are trained on different corpora.
    speech = [task for task in command.plan.tasks.values() if task.name == "COGMEN-A, seed 24"]
    assert [task.corpus for task in speech] == [two.hash, four.hash]
    assert len(command.plan.tasks) == 2 * (6 + 4)
    plant(command)
    second, fourth = command.tables()
    assert second.corpus_hash == two.hash and fourth.corpus_hash == four.hash
    assert fourth.notes == ("3 of 30 dialogues are left out (--keep-dropped)", *command.plan.corpus.notes)
    assert second.notes == command.plan.corpus.notes
    run, _ = command.completed.of_row(command.plan.tables[1], command.plan.tables[1].rows[0])
    assert len(run.labels("test")) == sum(len(d) for d in four.split("test"))


def test_dialogues_can_be_kept(tmp_path, iemocap):
    kept = prepare(tmp_path, ("table2", "table4"), data=iemocap, keep_dropped=True)
    assert all(kept.plan.corpus_of(table) is kept.plan.corpus for table in kept.plan.tables)
    assert len(kept.plan.tasks) == 2 * (6 + 2)
    assert kept.folder == tmp_path / "renamed" / "smoke-paper-keep-dropped"
    plant(kept)
    for result in kept.tables():
        assert result.notes == kept.plan.corpus.notes and result.corpus_hash == kept.plan.corpus.hash
    assert "--keep-dropped" in kept.text and "--keep-dropped" not in prepare(tmp_path, data=iemocap).text


def test_rows_that_need_the_hubert_stream_are_left_out_and_named(tmp_path, without_hubert):
    command = prepare(tmp_path, ("table4", "table5", "table2"), data=without_hubert, seeds="24,")
    assert command.remarks() == [
        "table4: 2 of 4 rows need the hubert stream",
        "table5: 3 of 6 rows need the hubert stream",
    ]
    assert not [task for task in command.plan.tasks.values() if "hubert" in task.spec.arm.streams]
    plant(command)
    four, five, two = command.tables()
    assert four.needs == {"HuBERT-A": ("hubert",), "HuBERT-AV": ("hubert",)} and two.needs == {}
    assert list(five.needs) == ["Masked HuBERT-AV", "Student HuBERT-A", "Teacher HuBERT-AV"]
    assert four.rows["HuBERT-A"] == {} and list(four.rows["COGMEN-AV"]) == ["AV"]
    assert four.cell("HuBERT-A/A") is None and four.cell("COGMEN-A/A") is four.rows["COGMEN-A"]["A"]
    assert four.comparisons == five.comparisons == () and len(two.comparisons) == len(two.table.compare)


def test_the_hubert_table_is_whole_with_both_layers_and_stands_with_one(tmp_path):
    source = generate("synthetic-tiny")
    more = [replace(d, features=d.features | {"hubert-second-to-last": d.features["hubert"]}) for d in source.dialogues]
    write(replace(source, name="both", dialogues=tuple(more)), tmp_path / "both.npz")
    both = prepare(tmp_path, ("hubert",), seeds="24,25", data=tmp_path / "both.npz", protocol="released")
    one = prepare(tmp_path, ("hubert",), seeds="24,25")
    assert (len(both.plan.tasks), len(one.plan.tasks)) == (2 * 25, 2 * 17)
    for command, rows in ((both, 0), (one, 8)):
        plant(command, lambda spec: spec.protocol.hubert.projection == "random")
        (result,) = command.tables()
        lacking = {name: ("hubert-second-to-last",) for name in result.rows if "second-to-last" in name}
        assert result.needs == (lacking if rows else {}) and len(lacking) == 8
        compared = [pair for pair in result.table.compare if not rows or "second-to-last" not in "".join(pair)]
        assert [(each.first, each.second) for each in result.comparisons] == compared and result.protocol == "paper"
        assert list(result.rows["Mask: pca"]) == ["A", "AV"] and list(result.rows["none, release, last"]) == ["A"]
        worse = {each.first for each in result.comparisons if each.difference.mean < 0}
        # Planted predictions are in the order of time.
        assert {name for name in worse if "release" not in name} == {"random, time, last/A", "Mask: random/A"}
    # What tables 4 and 5 have, too, is trained once.
    shared = set(one.plan.tasks) & set(prepare(tmp_path, ("table4", "table5"), seeds="24,25").plan.tasks)
    assert {one.plan.tasks[key].spec.arm.name for key in shared} == {
        "COGMEN-A",
        "HuBERT-A",
        "COGMEN-Mask",
        "HuBERT-Mask",
    }


def test_rows_that_need_video_for_themselves_or_their_teachers_are_left_out_without_it(tmp_path, audio_only):
    command = prepare(tmp_path / "out", ("table1", "table3", "table5", "distillation"), data=audio_only, seeds="24,")
    assert command.remarks() == [
        "table3: 2 of 4 rows need a privileged stream",
        "distillation: 9 of 10 rows need a privileged stream",
        "table1: left out, its rows need a privileged stream",
        # By its own stream a student could be trained, by its teacher's not.
        "table5: left out, its rows need the hubert stream and a privileged stream",
    ]
    plant(command)
    three, distillation = command.tables()
    assert three.needs == {"COGMEN-AV": (PRIVILEGED,), "COGMEN-Mask": (PRIVILEGED,)}
    assert list(three.companion["COGMEN-A"]) == ["A"] and three.companion["COGMEN-AV"] == {}
    assert distillation.needs["triplet"] == distillation.needs["DMD online"] == (PRIVILEGED,)
    assert list(distillation.costs) == ["no teacher"] and distillation.comparisons == ()
    assert command.plan.deployable() == list(command.plan.tasks)


def test_a_companion_table_gives_rows_of_the_same_name(tmp_path):
    command = prepare(tmp_path, ("table3",), seeds="24,")
    names = ("COGMEN-A", "COGMEN-AV", "COGMEN-Mask", "COGMEN-A-masked")
    assert [task.name for task in command.plan.tasks.values()] == [
        *(f"{name}-disjoint, seed 24" for name in names),
        *(f"{name}, seed 24" for name in names),
    ]
    plant(command, lambda spec: 0 if spec.arm.window == (5, 5) else 4)
    (result,) = command.tables()
    assert {name: list(cells) for name, cells in result.companion.items()} == {
        "COGMEN-A": ["A"],
        "COGMEN-AV": ["A", "AV"],
        "COGMEN-Mask": ["A", "AV"],
        "COGMEN-A + Mask": ["A"],
    }
    assert all(cell.values == (1.0,) for cells in result.companion.values() for cell in cells.values())
    assert all(cell.values[0] < 1 for cells in result.rows.values() for cell in cells.values())
    assert result.companion["COGMEN-AV"]["A"].published == 0.426 and result.rows["COGMEN-AV"]["A"].published == 0.286


def test_companion_cells_have_the_contexts_of_their_row(tmp_path, tables_folder):
    (tables_folder / "table9.toml").write_text(
        'title = "Nine"\nsource = "nowhere"\ncontexts = ["A", "AV"]\nin_paper = false\n'
        'companion = { table = "table2", title = "full graph" }\n'
        '[[rows]]\nname = "COGMEN-AV"\narm = "COGMEN-AV-disjoint"\ncontexts = ["A"]\n'
        '[[rows]]\nname = "not in table 2"\narm = "COGMEN-A-disjoint"\n'
    )
    command = prepare(tmp_path, ("table9",), seeds="24,")
    plant(command)
    (result,) = command.tables()
    assert {name: list(cells) for name, cells in result.companion.items()} == {"COGMEN-AV": ["A"]}


def test_a_row_with_other_settings_is_a_run_of_its_own(tmp_path):
    command = prepare(tmp_path, ("protocol",), seeds="24,", protocol="released")
    (table,) = command.plan.tables
    expected = [(row.arm.name, table.protocol_of(row, command.plan.protocol).name) for row in table.rows]
    trained = [(task.spec.arm.name, task.spec.protocol.name) for task in command.plan.tasks.values()]
    assert len(set(expected)) == len(expected) and set(trained) > set(expected)
    assert {name for name, _ in set(trained) - set(expected)} == {
        row.arm.teacher.name for row in table.rows if row.arm.teacher
    }
    assert {name for _, name in trained if name != "paper"} >= {
        "paper, released triplet",
        "paper, released masking.unit",
        "paper, released attend_padding and masking",
    }
    plant(command)
    (result,) = command.tables()
    # The table has a protocol of its own, whatever the option.
    assert result.protocol == "paper" and len(result.comparisons) == len(table.compare)
    paper = prepare(tmp_path, ("table2",), seeds="24,")
    shared = set(paper.plan.tasks) & set(command.plan.tasks)
    assert {paper.plan.tasks[key].spec.arm.name for key in shared} == {
        "COGMEN-A",
        "COGMEN-A-masked",
        "COGMEN-Mask",
    }


def test_a_run_that_is_removed_after_training_is_named(tmp_path):
    command = prepare(tmp_path, ("table4",))
    plant(command)
    key = next(key for key, task in command.plan.tasks.items() if task.name == "HuBERT-A, seed 25")
    command.store.remove(key)
    with pytest.raises(CorruptRun, match=r"HuBERT-A, seed 25 is no longer.*again"):
        command.tables()


def test_training_time_is_that_of_all_runs_whenever_they_were_trained(tmp_path):
    command = prepare(tmp_path, ("table4",), seeds="24,")
    assert command.completed.seconds() == 0
    plant(command)
    assert command.completed.seconds() == 4 * 1.25


def test_precision_has_a_folder_and_a_note_of_its_own(tmp_path):
    half = prepare(tmp_path).change(precision="bf16")
    assert half.folder == prepare(tmp_path).folder.with_name("smoke-paper-bf16")
    assert "--precision bf16" in half.text and "--precision" not in prepare(tmp_path).text
    assert set(half.plan.tasks).isdisjoint(prepare(tmp_path).plan.tasks)
    plant(half)
    (result,) = half.tables()
    assert result.notes[0] == "Trained with products in bfloat16 (--precision bf16)."
