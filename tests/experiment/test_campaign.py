import json
import shlex
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score

from replicate.config import tables as definitions
from replicate.config.tables import Row
from replicate.corpus.archive import write
from replicate.corpus.synthetic import generate
from replicate.errors import BadSeeds, CannotWrite, CorruptRun, MissingStream, UnknownCorpus, UnknownTable
from replicate.experiment.campaign import Campaign
from replicate.experiment.collect import tables
from replicate.runner import local
from replicate.runner.ray import Cluster
from replicate.store.record import CHECKPOINT, PREDICTIONS, RECORD
from tests import planted
from tests.small_runs import small_corpus

TABLE2 = ("COGMEN-A", "COGMEN-AV", "COGMEN-Mask", "Student-of-Mask", "COGMEN-A-masked", "COGMEN-Mask-deep")


def prepare(
    out, tables=("table2",), profile="smoke", protocol="paper", seeds=None, data=None, jobs=1, keep_dropped=False
):
    data = None if data is None else str(data)
    return Campaign.prepare(list(tables), profile, protocol, seeds, data, None, "cpu", jobs, out, keep_dropped)


def plant(campaign, wrong=lambda spec: 0):
    """Finish all runs of a campaign without training; ``wrong`` says how many test predictions are."""
    corpora = {campaign.corpus_of(table).hash: campaign.corpus_of(table) for table in campaign._all_tables}
    for task in campaign.tasks.values():
        result = planted.result(task.spec, corpora[task.corpus], {"test": wrong(task.spec)})
        campaign.store.put(task.key, task.spec, corpora[task.corpus], "cpu", result, task.teachers)


@pytest.fixture
def finished(smoke_out):
    """The campaign of a finished smoke table; do not write into it."""
    return prepare(smoke_out)


def test_cells_are_the_f1_of_the_stored_predictions(finished):
    assert finished.missing() == []
    (result,) = tables(finished)
    assert {name: list(cells) for name, cells in result.rows.items()} == {
        "COGMEN-A": ["A"],
        "COGMEN-AV": ["A", "AV"],
        "COGMEN-Mask": ["A", "AV"],
        "student of COGMEN-Mask": ["A"],
        "COGMEN-A + Mask": ["A"],
        "COGMEN-Mask, more context layers": ["A", "AV"],
    }
    assert (result.needs, result.companion) == ({}, {})
    truth = np.concatenate([d.labels for d in finished.corpus.split("test")])
    rows = {row.name: row.arm.name for row in finished.tables[0].rows}
    tasks = {task.name: task for task in finished.tasks.values()}
    for name, cells in result.rows.items():
        for context, cell in cells.items():
            values, classes = [], []
            for seed in (24, 25):
                task = tasks[f"{rows[name]}, seed {seed}"]
                with np.load(finished.store.root / task.key / PREDICTIONS) as arrays:
                    predicted = arrays[f"test/{context}"].argmax(1)
                values.append(f1_score(truth, predicted, average="weighted"))
                classes.append(tuple(f1_score(truth, predicted, average=None, labels=range(4), zero_division=0)))
            assert cell.values == pytest.approx(values)
            assert cell.by_class == tuple(map(pytest.approx, classes))
            assert cell.summary.mean == pytest.approx(sum(values) / 2)
            assert cell.summary.std == pytest.approx(abs(values[0] - values[1]) / 2**0.5)
            assert cell.verdict is None


def test_values_follow_the_order_of_the_seeds(smoke_out, finished):
    backwards = prepare(smoke_out, seeds="25,24")
    assert backwards.missing() == [] and backwards.seeds == (25, 24)
    (forth,), (back,) = tables(finished), tables(backwards)
    for name, cells in forth.rows.items():
        for context, cell in cells.items():
            assert back.rows[name][context].values == cell.values[::-1]


def test_published_values_stand_beside_and_are_judged_on_their_corpus_alone(finished):
    (result,) = tables(finished)
    assert result.rows["COGMEN-AV"]["A"].published == 0.426
    assert {cell.verdict for row in result.rows.values() for cell in row.values()} == {None}
    (judged,) = tables(replace(finished, corpus=replace(finished.corpus, published=True)))
    for row in judged.rows.values():
        for cell in row.values():
            near = abs(cell.published - cell.summary.mean) <= 2 * cell.summary.std
            assert cell.verdict == ("inside" if near else "outside")


def test_what_the_table_says_of_itself(finished):
    (result,) = tables(finished)
    assert (result.corpus, result.corpus_hash) == ("synthetic-tiny", finished.corpus.hash)
    assert (result.profile, result.protocol, result.seeds) == ("smoke", "paper", (24, 25))
    assert result.notes == finished.corpus.notes and "synthetic" in result.notes[0]


def test_runs_go_seed_by_seed(finished):
    assert [task.name for task in finished.tasks.values()] == [
        f"{arm}, seed {seed}" for seed in (24, 25) for arm in TABLE2
    ]
    assert all(key == task.key for key, task in finished.tasks.items())


@pytest.fixture
def two_tables(tables_folder):
    """A second table that names COGMEN-A under another name."""
    (tables_folder / "table9.toml").write_text(
        'title = "Nine"\nsource = "nowhere"\ncontexts = ["A"]\nin_paper = false\n'
        '[[rows]]\nname = "Base"\narm = "COGMEN-A"\n'
    )


def test_an_arm_that_two_tables_name_is_trained_once(two_tables, smoke_out, tmp_path):
    both = prepare(tmp_path, ("table9", "table2"))
    assert len(both.tasks) == 12
    assert [task.name for task in prepare(tmp_path, ("table9",)).tasks.values()] == [
        "COGMEN-A, seed 24",
        "COGMEN-A, seed 25",
    ]
    done = prepare(smoke_out, ("table9", "table2"))
    assert done.missing() == []
    nine, two = tables(done)
    assert nine.rows["Base"]["A"].values == two.rows["COGMEN-A"]["A"].values
    assert nine.rows["Base"]["A"].published is None


def test_two_rows_may_name_one_arm(finished):
    (table,) = finished.tables
    twice = replace(table, rows=(*table.rows, Row("again", definitions.arms()["COGMEN-A"], ("A",))))
    again = replace(finished, tables=(twice,))
    assert again.tasks == finished.tasks
    (result,) = tables(again)
    assert result.rows["again"]["A"].values == result.rows["COGMEN-A"]["A"].values


def test_table_1_trains_one_teacher_for_its_three_students(tmp_path):
    campaign = prepare(tmp_path, ("table1",), seeds="24,")
    assert [task.name for task in campaign.tasks.values()] == [
        f"{arm}, seed 24" for arm in ("Teacher-AV", "Student-A", "Student-A-2-layers", "Student-A-3-heads")
    ]
    plant(campaign, lambda spec: 3 * (spec.arm.teacher is not None))
    (result,) = tables(campaign)
    teachers = [cells["AV"] for name, cells in result.rows.items() if "teacher" in name]
    assert len(teachers) == 3 and len({cell.values for cell in teachers}) == 1
    assert [(cell.published, cell.published_std) for cell in teachers] == [
        (0.6099, 0.0197),
        (0.644, 0.02),
        (0.6112, 0.0072),
    ]


def test_the_released_protocol_is_other_runs_in_another_folder(finished, smoke_out):
    released = prepare(smoke_out, protocol="released")
    assert len(released.missing()) == 12
    assert released.folder == smoke_out / "synthetic-tiny" / "smoke-released" != finished.folder


def test_seeds_are_added_to_what_is_finished(smoke_out):
    more = prepare(smoke_out, seeds="25,26,24")
    assert [task.name for task in more.missing()] == [f"{arm}, seed 26" for arm in TABLE2]
    assert "18 runs, 12 finished, 6 to train" in more.describe(6)


@pytest.mark.parametrize(
    ("arguments", "kind"), [({"tables": ["table2", "tabel3"]}, UnknownTable), ({"seeds": "24,24"}, BadSeeds)]
)
def test_mistakes_are_found_before_anything_is_done(tmp_path, arguments, kind):
    with pytest.raises(kind):
        prepare(tmp_path / "out", **arguments)
    assert not (tmp_path / "out").exists()


def test_the_files_of_the_campaign_hold_its_numbers(finished, smoke_results):
    (result,) = tables(finished)
    stored = json.loads((smoke_results / "table2.json").read_text())
    assert stored["rows"][2]["cells"]["AV"]["values"] == list(result.rows["COGMEN-Mask"]["AV"].values)


def test_a_second_corpus_of_the_same_name_gets_a_folder_of_its_own(tmp_path):
    first = prepare(tmp_path)
    assert first.folder == tmp_path / "synthetic-tiny" / "smoke-paper"
    first.folder.mkdir(parents=True)
    (first.folder / "manifest.json").write_text('{"corpus": {"hash": "of another"}}')
    assert first.folder == tmp_path / f"synthetic-tiny-{first.corpus.hash[:8]}" / "smoke-paper"
    (tmp_path / "synthetic-tiny" / "smoke-paper" / "manifest.json").write_text(
        json.dumps({"corpus": {"hash": first.corpus.hash}})
    )
    assert first.folder == tmp_path / "synthetic-tiny" / "smoke-paper"


def test_a_store_that_cannot_be_written_is_found_before_training(tmp_path):
    (tmp_path / "out").write_text("")
    campaign = prepare(tmp_path / "out")

    def listen(progress):
        pytest.fail("trained before looking")

    with pytest.raises(CannotWrite, match="out"):
        campaign.train(campaign.missing(), listen)


def test_an_empty_corpus_name_is_not_the_default(tmp_path):
    with pytest.raises(UnknownCorpus):
        prepare(tmp_path, data="")


LEFT_OUT = {"Syn01_005": "Ses01F_impro03", "Syn02_010": "Ses02M_impro03", "Syn05_027": "Ses05F_impro07"}


@pytest.fixture
def iemocap(tmp_path):
    """A file of the tiny corpus in which three dialogues are called like some that table 4 leaves out."""
    source = generate("synthetic-tiny")
    dialogues = tuple(replace(d, id=LEFT_OUT.get(d.id, d.id)) for d in source.dialogues)
    assert sum(d.id in LEFT_OUT.values() for d in dialogues) == 3
    assert {d.split for d in dialogues if d.id in LEFT_OUT.values()} == {"train", "test"}
    write(replace(source, name="renamed", dialogues=dialogues), tmp_path / "renamed.npz")
    return tmp_path / "renamed.npz"


def test_tables_of_hubert_leave_dialogues_out(tmp_path, iemocap):
    campaign = prepare(tmp_path, ("table2", "table4"), data=iemocap)
    two, four = map(campaign.corpus_of, campaign.tables)
    assert two is campaign.corpus and len(four.dialogues) == 27 and len(two.dialogues) == 30
    assert not {d.id for d in four.dialogues} & set(LEFT_OUT.values())
    assert campaign.corpus_of(campaign.tables[1]) is four  # hashed once
    # COGMEN-A of table 2 and of table 4 are trained on different corpora.
    speech = [task for task in campaign.tasks.values() if task.name == "COGMEN-A, seed 24"]
    assert [task.corpus for task in speech] == [two.hash, four.hash]
    assert len(campaign.tasks) == 2 * (6 + 4)
    plant(campaign)
    second, fourth = tables(campaign)
    assert second.corpus_hash == two.hash and fourth.corpus_hash == four.hash
    assert fourth.notes == ("3 of 30 dialogues are left out (--keep-dropped)", *campaign.corpus.notes)
    assert second.notes == campaign.corpus.notes
    (run,) = campaign.runs(campaign.tables[1], campaign.tables[1].rows[0])[:1]
    assert len(run.labels("test")) == sum(len(d) for d in four.split("test"))


def test_dialogues_can_be_kept(tmp_path, iemocap):
    kept = prepare(tmp_path, ("table2", "table4"), data=iemocap, keep_dropped=True)
    assert all(kept.corpus_of(table) is kept.corpus for table in kept.tables)
    assert len(kept.tasks) == 2 * (6 + 2)
    assert kept.folder == tmp_path / "renamed" / "smoke-paper-keep-dropped"
    plant(kept)
    for result in tables(kept):
        assert result.notes == kept.corpus.notes and result.corpus_hash == kept.corpus.hash
    assert "--keep-dropped" in kept.command() and "--keep-dropped" not in prepare(tmp_path, data=iemocap).command()


def test_a_corpus_without_these_dialogues_is_used_as_it_is(tmp_path):
    campaign = prepare(tmp_path, ("table4",))
    assert campaign.corpus_of(campaign.tables[0]) is campaign.corpus
    plant(campaign)
    assert tables(campaign)[0].notes == campaign.corpus.notes


def test_every_run_gets_the_corpus_of_its_table(tmp_path, iemocap, monkeypatch):
    campaign = prepare(tmp_path, ("table4", "table3"), data=iemocap)
    asked = []
    monkeypatch.setattr(local, "run_all", lambda *arguments: asked.append(arguments))
    campaign.train(campaign.missing(), lambda progress: None)
    ((tasks, corpora, store, device, jobs, _),) = asked
    assert {task.corpus for task in tasks} == set(corpora) == {corpus.hash for corpus in corpora.values()}
    assert len(corpora) == 2 and (store.root, device, jobs) == (campaign.store.root, "cpu", 1)


@pytest.fixture
def deaf(tmp_path):
    """A file of the tiny corpus without the HuBERT stream."""
    source = generate("synthetic-tiny")
    without = [
        replace(d, features={name: array for name, array in d.features.items() if name != "hubert"})
        for d in source.dialogues
    ]
    write(replace(source, name="deaf", dialogues=tuple(without)), tmp_path / "deaf.npz")
    return tmp_path / "deaf.npz"


def test_rows_that_need_the_hubert_stream_are_left_and_named(tmp_path, deaf):
    campaign = prepare(tmp_path, ("table4", "table5", "table2"), data=deaf, seeds="24,")
    assert campaign.remarks() == [
        "table4: 2 of 4 rows need the hubert stream",
        "table5: 3 of 6 rows need the hubert stream",
    ]
    assert not [task for task in campaign.tasks.values() if "hubert" in task.spec.arm.streams]
    plant(campaign)
    four, five, two = tables(campaign)
    assert four.needs == {"HuBERT-A": ("hubert",), "HuBERT-AV": ("hubert",)} and two.needs == {}
    assert list(five.needs) == ["Masked HuBERT-AV", "Student HuBERT-A", "Teacher HuBERT-AV"]
    assert four.rows["HuBERT-A"] == {} and list(four.rows["COGMEN-AV"]) == ["AV"]
    assert four.cell("HuBERT-A/A") is None and four.cell("COGMEN-A/A") is four.rows["COGMEN-A"]["A"]
    assert four.comparisons == five.comparisons == () and len(two.comparisons) == 8


def test_a_table_of_which_nothing_can_be_trained_is_refused(tmp_path, deaf, tables_folder):
    (tables_folder / "table9.toml").write_text(
        'title = "Nine"\nsource = "nowhere"\ncontexts = ["A"]\nin_paper = false\n'
        '[[rows]]\nname = "Base"\narm = "HuBERT-A"\n'
    )
    with pytest.raises(MissingStream, match=r"audio, visual.*table9"):
        prepare(tmp_path / "out", ("table9",), data=deaf)
    assert not (tmp_path / "out").exists()
    assert prepare(tmp_path / "out", ("table9",)).missing()
    # Companion tables that can be trained it is left out, and said to be.
    campaign = prepare(tmp_path / "out", ("table9", "table2"), data=deaf, seeds="24,")
    assert [table.name for table in campaign.tables] == ["table2"]
    assert campaign.remarks() == ["table9: left out, its rows need the hubert stream"]
    plant(campaign)
    assert [result.table.name for result in tables(campaign)] == ["table2"]
    assert "table9" not in campaign.command()


def test_the_hubert_table_is_whole_with_both_layers_and_stands_with_one(tmp_path):
    source = generate("synthetic-tiny")
    more = [replace(d, features=d.features | {"hubert-second-to-last": d.features["hubert"]}) for d in source.dialogues]
    write(replace(source, name="both", dialogues=tuple(more)), tmp_path / "both.npz")
    both = prepare(tmp_path, ("hubert",), seeds="24,25", data=tmp_path / "both.npz", protocol="released")
    one = prepare(tmp_path, ("hubert",), seeds="24,25")
    assert (len(both.tasks), len(one.tasks)) == (2 * 22, 2 * 14)
    for campaign, rows, pairs in ((both, 0, 9), (one, 8, 8)):
        plant(campaign, lambda spec: spec.protocol.hubert.projection == "random")
        (result,) = tables(campaign)
        lacking = {name: ("hubert-second-to-last",) for name in result.rows if "second-to-last" in name}
        assert result.needs == (lacking if rows else {}) and len(lacking) == 8
        assert len(result.comparisons) == pairs and result.protocol == "paper"
        assert list(result.rows["Mask: pca"]) == ["A", "AV"] and list(result.rows["none, release, last"]) == ["A"]
        worse = {each.first for each in result.comparisons if each.difference.mean < 0}
        # Planted predictions are in the order of time.
        assert {name for name in worse if "release" not in name} == {"random, time, last/A", "Mask: random/A"}
    # What tables 4 and 5 have, too, is trained once.
    shared = set(one.tasks) & set(prepare(tmp_path, ("table4", "table5"), seeds="24,25").tasks)
    assert {one.tasks[key].spec.arm.name for key in shared} == {"COGMEN-A", "HuBERT-A", "COGMEN-Mask", "HuBERT-Mask"}


@pytest.fixture
def speech(tmp_path):
    """A file of a corpus with audio alone."""
    source = small_corpus()
    only = tuple(replace(d, features={"audio": d.features["audio"]}) for d in source.dialogues)
    write(replace(source, dialogues=only), tmp_path / "speech.npz")
    return tmp_path / "speech.npz"


def test_rows_that_see_or_whose_teachers_do_are_left_on_a_corpus_without_video(tmp_path, speech):
    campaign = prepare(tmp_path / "out", ("table1", "table3", "table5", "distillation"), data=speech, seeds="24,")
    assert campaign.remarks() == [
        "table3: 2 of 4 rows need the visual stream",
        "distillation: 7 of 8 rows need the visual stream",
        "table1: left out, its rows need the visual stream",
        # By its own stream a student could be trained, by its teacher's not.
        "table5: left out, its rows need the visual and hubert streams",
    ]
    plant(campaign)
    three, distillation = tables(campaign)
    assert three.needs == {"COGMEN-AV": ("visual",), "COGMEN-Mask": ("visual",)}
    assert list(three.companion["COGMEN-A"]) == ["A"] and three.companion["COGMEN-AV"] == {}
    assert distillation.needs["triplet"] == distillation.needs["DMD online"] == ("visual",)
    assert list(distillation.costs) == ["no teacher"] and distillation.comparisons == ()
    assert campaign.deployable() == list(campaign.tasks)


def test_rows_of_the_same_name_stand_beside(tmp_path):
    campaign = prepare(tmp_path, ("table3",), seeds="24,")
    names = ("COGMEN-A", "COGMEN-AV", "COGMEN-Mask", "COGMEN-A-masked")
    assert [task.name for task in campaign.tasks.values()] == [
        *(f"{name}-disjoint, seed 24" for name in names),
        *(f"{name}, seed 24" for name in names),
    ]
    plant(campaign, lambda spec: 0 if spec.arm.window == (5, 5) else 4)
    (result,) = tables(campaign)
    assert {name: list(cells) for name, cells in result.companion.items()} == {
        "COGMEN-A": ["A"],
        "COGMEN-AV": ["A", "AV"],
        "COGMEN-Mask": ["A", "AV"],
        "COGMEN-A + Mask": ["A"],
    }
    assert all(cell.values == (1.0,) for cells in result.companion.values() for cell in cells.values())
    assert all(cell.values[0] < 1 for cells in result.rows.values() for cell in cells.values())
    assert result.companion["COGMEN-AV"]["A"].published == 0.426 and result.rows["COGMEN-AV"]["A"].published == 0.286


def test_what_stands_beside_has_the_contexts_of_its_namesake(tmp_path, tables_folder):
    (tables_folder / "table9.toml").write_text(
        'title = "Nine"\nsource = "nowhere"\ncontexts = ["A", "AV"]\nin_paper = false\n'
        'companion = { table = "table2", title = "full graph" }\n'
        '[[rows]]\nname = "COGMEN-AV"\narm = "COGMEN-AV-disjoint"\ncontexts = ["A"]\n'
        '[[rows]]\nname = "not in table 2"\narm = "COGMEN-A-disjoint"\n'
    )
    campaign = prepare(tmp_path, ("table9",), seeds="24,")
    plant(campaign)
    (result,) = tables(campaign)
    assert {name: list(cells) for name, cells in result.companion.items()} == {"COGMEN-AV": ["A"]}


def test_what_stands_beside_is_trained_once(tmp_path):
    assert len(prepare(tmp_path, ("table2", "table3"), seeds="24,").tasks) == 6 + 4


def test_a_row_that_turns_a_knob_is_a_run_of_its_own(tmp_path):
    campaign = prepare(tmp_path, ("protocol",), seeds="24,", protocol="released")
    readings = [task.spec.protocol.name for task in campaign.tasks.values()]
    assert len(readings) == 13 and readings.count("paper") == 5
    assert {name for name in readings if name != "paper"} >= {
        "paper, released triplet",
        "paper, released masking.unit",
        "paper, released attend_padding and masking",
    }
    plant(campaign)
    (result,) = tables(campaign)
    # Whatever was asked for: the table has a reading of its own.
    assert result.protocol == "paper" and len(result.comparisons) == 8
    paper = prepare(tmp_path, ("table2",), seeds="24,")
    shared = set(paper.tasks) & set(campaign.tasks)
    assert {paper.tasks[key].spec.arm.name for key in shared} == {"COGMEN-Mask"}


def test_a_single_knob_is_part_of_the_folder_and_of_the_command(tmp_path):
    campaign = prepare(tmp_path, protocol="paper+masking.unit=batch,triplet=n-way", seeds="24,")
    assert campaign.folder == tmp_path / "synthetic-tiny" / "smoke-paper+masking.unit=batch,triplet=n-way"
    assert shlex.split(campaign.command()) == [
        *("replicate", "run", "table2", "--data", "synthetic-tiny", "--profile", "smoke"),
        *("--protocol", "paper+masking.unit=batch,triplet=n-way", "--seeds", "24,", "--device", "cpu"),
        *("--out", str(tmp_path)),
    ]
    assert "--out" not in replace(campaign, out=Path("results")).command()


@pytest.mark.parametrize("field", ["code", "torch"])
def test_runs_of_another_version_are_remarked_and_left_alone(tmp_path, monkeypatch, field):
    campaign = prepare(tmp_path, ("table4",), seeds="24,")
    plant(campaign)
    assert campaign.remarks() == [] and campaign.missing() == []
    before = {path: path.read_bytes() for path in (tmp_path / "runs").rglob("*") if path.is_file()}
    if field == "torch":
        monkeypatch.setattr(torch, "__version__", "0.0")
    else:
        monkeypatch.setattr("replicate.store.keys.code_version", lambda: "another")
    later = prepare(tmp_path, ("table4",), seeds="24,")
    assert len(later.missing(repair=True)) == 4
    (remark,) = later.remarks()
    assert remark.startswith(f"4 runs in {tmp_path / 'runs'} are of another version") and "runs prune" in remark
    assert {path: path.read_bytes() for path in (tmp_path / "runs").rglob("*") if path.is_file()} == before


def test_damaged_runs_are_named_and_nothing_is_touched(tmp_path):
    campaign = prepare(tmp_path, ("table4",), seeds="24,")
    plant(campaign)
    first, second, third, _ = campaign.tasks
    (campaign.store.root / second / CHECKPOINT).write_bytes(b"")
    with pytest.raises(CorruptRun, match=rf"{second} is damaged.*--repair trains it again$"):
        campaign.missing()
    (campaign.store.root / third / RECORD).write_text("{}")
    shutil.rmtree(campaign.store.root / first)
    with pytest.raises(CorruptRun, match=rf"{second} is damaged.*; also damaged: {third}$"):
        campaign.missing()
    assert (campaign.store.root / second / CHECKPOINT).read_bytes() == b""
    assert [task.key for task in campaign.missing(repair=True)] == [first, second, third]
    assert [task.key for task in campaign.missing()] == [first, second, third]


def test_a_repaired_run_has_the_same_bits(two_tables, tmp_path):
    campaign = prepare(tmp_path, ("table9",), seeds="24,")
    campaign.train(campaign.missing(), lambda progress: None)
    (key,) = campaign.tasks
    folder = campaign.store.root / key
    before = {name: (folder / name).read_bytes() for name in (CHECKPOINT, PREDICTIONS)}
    (folder / CHECKPOINT).write_bytes(before[CHECKPOINT][:-1])
    todo = campaign.missing(repair=True)
    assert [task.key for task in todo] == [key] and not folder.exists()
    assert campaign.train(todo, lambda progress: None) > 0
    assert {name: (folder / name).read_bytes() for name in before} == before
    assert campaign.missing() == []
    (result,) = tables(campaign)
    assert result.rows["Base"]["A"].summary.n == 1


def test_a_run_that_went_after_training_is_named(tmp_path):
    campaign = prepare(tmp_path, ("table4",))
    plant(campaign)
    key = next(key for key, task in campaign.tasks.items() if task.name == "HuBERT-A, seed 25")
    campaign.store.remove(key)
    with pytest.raises(CorruptRun, match=r"HuBERT-A, seed 25 is no longer.*again"):
        tables(campaign)


def test_what_can_be_deployed_hears_speech_alone_as_every_corpus_has_it(tmp_path, iemocap):
    campaign = prepare(tmp_path, ("table1", "table4", "table5", "protocol"), data=iemocap, seeds="24,")
    found = [campaign.tasks[key] for key in campaign.deployable()]
    # Tables 4 and 5 leave dialogues out here, and the protocol table's text readings are the campaign's own.
    assert [task.spec.arm.name for task in found] == [
        *("Teacher-AV", "Student-A", "Student-A-2-layers", "Student-A-3-heads", "COGMEN-Mask", "HuBERT-A", "HuBERT-AV"),
    ]
    kept = prepare(tmp_path, ("table4",), data=iemocap, seeds="24,", keep_dropped=True)
    assert [kept.tasks[key].spec.arm.name for key in kept.deployable()] == [
        *("COGMEN-A", "COGMEN-AV", "HuBERT-A", "HuBERT-AV"),
    ]
    # In the release's order an utterance comes with the features of another one.
    ordered = prepare(
        tmp_path, ("table4",), data=iemocap, seeds="24,", keep_dropped=True, protocol="paper+hubert.order=release"
    )
    assert [ordered.tasks[key].spec.arm.name for key in ordered.deployable()] == ["COGMEN-A", "COGMEN-AV"]
    others = prepare(tmp_path, ("context", "causal"), data=iemocap, seeds="24,")
    assert {others.tasks[key].spec.arm.name for key in others.deployable()} == {
        *("COGMEN-A", "COGMEN-AV", "COGMEN-Mask", "Student-A", "Teacher-AV"),
        *("COGMEN-A-causal", "Student-A-causal", "COGMEN-Mask-causal"),
    }
    turned = prepare(tmp_path, ("protocol",), data=iemocap, seeds="24,", protocol="released")
    assert turned.deployable() == []


def test_the_time_of_stored_runs_counts_whenever_they_were_trained(tmp_path):
    campaign = prepare(tmp_path, ("table4",), seeds="24,")
    assert campaign.seconds() == []
    plant(campaign)
    assert campaign.seconds() == [1.25] * 4


def test_precision_has_a_folder_and_a_note_of_its_own(tmp_path):
    half = replace(prepare(tmp_path), precision="bf16")
    assert half.folder == prepare(tmp_path).folder.with_name("smoke-paper-bf16")
    assert "--precision bf16" in half.command() and "--precision" not in prepare(tmp_path).command()
    assert set(half.tasks).isdisjoint(prepare(tmp_path).tasks)
    plant(half)
    (result,) = tables(half)
    assert result.notes[0] == "Trained with products in bfloat16 (--precision bf16)."


def test_seeds_train_as_one_program_only_where_they_can(tmp_path):
    def seed_group(campaign):
        return {task.spec.seed_group for task in campaign.tasks.values()}

    assert seed_group(prepare(tmp_path)) == {()}
    assert seed_group(replace(prepare(tmp_path, seeds="25,24"), stacked=True)) == {(24, 25)}
    assert seed_group(replace(prepare(tmp_path, seeds="24,"), stacked=True)) == {()}
    # The released reading lets padding take part, which a stack cannot.
    assert seed_group(replace(prepare(tmp_path, protocol="released"), stacked=True)) == {()}
    assert "--stack" in replace(prepare(tmp_path), stacked=True).command()
    # Of the extractors, only transformers stack, causal or not; a student only if its teacher does.
    extra = replace(prepare(tmp_path, ("context", "causal")), stacked=True)
    alone = {task.spec.arm.name for task in extra.tasks.values() if not task.spec.seed_group}
    assert alone == {f"COGMEN-{streams}-{kind}" for streams in ("A", "AV") for kind in ("gru", "lstm", "ssm")}
    arms = definitions.arms()
    assert not replace(arms["Student-A"], teacher=arms["COGMEN-AV-gru"]).stackable


def test_a_campaign_says_where_it_trains(tmp_path):
    campaign = prepare(tmp_path, jobs=2)
    assert "2 at a time" in campaign.describe(12) and "Ray" not in campaign.describe(12)
    assert "the Ray cluster at auto" in replace(campaign, cluster=Cluster("auto")).describe(12)
    assert "2 seeds as one program" in replace(campaign, stacked=True).describe(12)


def test_a_shared_store_is_a_mirror(tmp_path):
    campaign = replace(prepare(tmp_path / "out"), shared=str(tmp_path / "there"))
    plant(campaign)
    elsewhere = replace(prepare(tmp_path / "elsewhere"), shared=str(tmp_path / "there"))
    assert elsewhere.missing() == [] and prepare(tmp_path / "third").missing()
    assert tables(elsewhere)[0].rows == tables(campaign)[0].rows
