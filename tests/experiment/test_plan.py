from dataclasses import replace

import pytest

from replicate.config.arms import arms as all_arms
from replicate.config.tables import table
from replicate.errors import BadSeeds, MissingStream, UnknownCorpus, UnknownTable
from replicate.experiment.wording import describe
from tests.experiment.builders import plant, prepare

TABLE2 = [row.arm.name for row in table("table2").rows]


def test_runs_go_seed_by_seed(completed):
    assert [task.name for task in completed.plan.tasks.values()] == [
        f"{arm}, seed {seed}" for seed in (24, 25) for arm in TABLE2
    ]
    assert all(key == task.key for key, task in completed.plan.tasks.items())


def test_an_arm_that_two_tables_name_is_trained_once(two_tables, smoke_out, tmp_path):
    both = prepare(tmp_path, ("table9", "table2"))
    assert len(both.plan.tasks) == 2 * len(TABLE2)
    assert [task.name for task in prepare(tmp_path, ("table9",)).plan.tasks.values()] == [
        "COGMEN-A, seed 24",
        "COGMEN-A, seed 25",
    ]
    done = prepare(smoke_out, ("table9", "table2"))
    assert done.missing() == []
    nine, two = done.tables()
    assert nine.rows["Base"]["A"].values == two.rows["COGMEN-A"]["A"].values
    assert nine.rows["Base"]["A"].published is None


def test_the_released_protocol_has_its_own_runs_and_folder(completed, smoke_out):
    released = prepare(smoke_out, protocol="released")
    assert len(released.missing()) == 2 * len(TABLE2)
    assert released.folder == smoke_out / "synthetic-tiny" / "smoke-released" != completed.folder


def test_only_runs_of_new_seeds_are_missing(smoke_out):
    more = prepare(smoke_out, seeds="25,26,24")
    assert [task.name for task in more.missing()] == [f"{arm}, seed 26" for arm in TABLE2]
    assert "18 runs, 12 completed, 6 to train" in describe(more.plan, more.context, 18, 6)


@pytest.mark.parametrize(
    ("arguments", "kind"), [({"tables": ["table2", "tabel3"]}, UnknownTable), ({"seeds": "24,24"}, BadSeeds)]
)
def test_mistakes_are_found_before_anything_is_done(tmp_path, arguments, kind):
    with pytest.raises(kind):
        prepare(tmp_path / "out", **arguments)
    assert not (tmp_path / "out").exists()


def test_an_empty_corpus_name_is_not_the_default(tmp_path):
    with pytest.raises(UnknownCorpus):
        prepare(tmp_path, data="")


def test_a_corpus_without_these_dialogues_is_used_as_it_is(tmp_path):
    command = prepare(tmp_path, ("table4",))
    assert command.plan.corpus_of(command.plan.tables[0]) is command.plan.corpus
    plant(command)
    assert command.tables()[0].notes == command.plan.corpus.notes


def test_a_table_of_which_nothing_can_be_trained_is_refused(tmp_path, without_hubert, tables_folder):
    (tables_folder / "table9.toml").write_text(
        'title = "Nine"\nsource = "nowhere"\ncontexts = ["A"]\nin_paper = false\n'
        '[[rows]]\nname = "Base"\narm = "HuBERT-A"\n'
    )
    with pytest.raises(MissingStream, match=r"audio, visual.*table9"):
        prepare(tmp_path / "out", ("table9",), data=without_hubert)
    assert not (tmp_path / "out").exists()
    assert prepare(tmp_path / "out", ("table9",)).missing()
    # Next to tables that can be trained it is left out with a remark.
    command = prepare(tmp_path / "out", ("table9", "table2"), data=without_hubert, seeds="24,")
    assert [table.name for table in command.plan.tables] == ["table2"]
    assert command.remarks() == ["table9: left out, its rows need the hubert stream"]
    plant(command)
    assert [result.table.name for result in command.tables()] == ["table2"]
    assert "table9" not in command.text


def test_a_companion_table_is_trained_once(tmp_path):
    assert len(prepare(tmp_path, ("table2", "table3"), seeds="24,").plan.tasks) == 6 + 4


def test_runs_that_need_speech_alone_are_deployable(tmp_path, iemocap):
    command = prepare(tmp_path, ("table1", "table4", "table5", "protocol"), data=iemocap, seeds="24,")
    found = [command.plan.tasks[key] for key in command.plan.deployable()]
    # Tables 4 and 5 leave dialogues out here, and the "text" rows of table protocol use the command's protocol.
    assert [task.spec.arm.name for task in found] == [
        *("Teacher-AV", "Student-A", "Student-A-2-layers", "Student-A-3-heads", "COGMEN-A", "COGMEN-A-masked"),
        *("COGMEN-Mask", "HuBERT-A", "HuBERT-AV"),
    ]
    kept = prepare(tmp_path, ("table4",), data=iemocap, seeds="24,", keep_dropped=True)
    assert [kept.plan.tasks[key].spec.arm.name for key in kept.plan.deployable()] == [
        *("COGMEN-A", "COGMEN-AV", "HuBERT-A", "HuBERT-AV"),
    ]
    # In the release's order an utterance comes with the features of another one.
    ordered = prepare(
        tmp_path, ("table4",), data=iemocap, seeds="24,", keep_dropped=True, protocol="paper+hubert.order=release"
    )
    assert [ordered.plan.tasks[key].spec.arm.name for key in ordered.plan.deployable()] == ["COGMEN-A", "COGMEN-AV"]
    others = prepare(tmp_path, ("context", "causal"), data=iemocap, seeds="24,")
    assert {others.plan.tasks[key].spec.arm.name for key in others.plan.deployable()} == {
        *("COGMEN-A", "COGMEN-AV", "COGMEN-Mask", "Student-A", "Teacher-AV"),
        *("COGMEN-A-causal", "Student-A-causal", "COGMEN-Mask-causal"),
    }
    released = prepare(tmp_path, ("protocol",), data=iemocap, seeds="24,", protocol="released")
    assert released.plan.deployable() == []


def test_seeds_train_as_one_program_only_where_they_can(tmp_path):
    def seed_group(command):
        return {task.spec.seed_group for task in command.plan.tasks.values()}

    assert seed_group(prepare(tmp_path)) == {()}
    assert seed_group(prepare(tmp_path, seeds="25,24").change(stacked=True)) == {(24, 25)}
    assert seed_group(prepare(tmp_path, seeds="24,").change(stacked=True)) == {()}
    # In the released protocol padding takes part in attention, which seed groups do not support.
    assert seed_group(prepare(tmp_path, protocol="released").change(stacked=True)) == {()}
    assert "--stack" in prepare(tmp_path).change(stacked=True).text
    # Of the extractors, only transformers stack, causal or not; a student only if its teacher does.
    extra = prepare(tmp_path, ("context", "causal")).change(stacked=True)
    alone = {task.spec.arm.name for task in extra.plan.tasks.values() if not task.spec.seed_group}
    assert alone == {f"COGMEN-{streams}-{kind}" for streams in ("A", "AV") for kind in ("gru", "lstm", "ssm")}
    arms = all_arms()
    assert not replace(arms["Student-A"], teacher=arms["COGMEN-AV-gru"]).stackable
