import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import f1_score

from replicate.errors import BadSeeds, CannotWrite, MissingStream, UnknownCorpus, UnknownTable
from replicate.experiment import definitions, results
from replicate.experiment.campaign import Campaign
from replicate.experiment.definitions import Row
from replicate.experiment.store import run_key


def prepare(out, tables=("table2",), profile="smoke", protocol="paper", seeds=None, data=None, jobs=1):
    return Campaign.prepare(list(tables), profile, protocol, seeds, data, None, "cpu", jobs, out)


@pytest.fixture
def finished(smoke_out):
    """The campaign of a finished smoke table; do not write into it."""
    return prepare(smoke_out)


def test_cells_are_the_f1_of_the_stored_predictions(finished):
    assert finished.missing() == []
    (result,) = finished.results()
    assert {name: list(cells) for name, cells in result.rows.items()} == {
        "COGMEN-A": ["A"],
        "COGMEN-AV": ["A", "AV"],
        "COGMEN-Mask": ["A", "AV"],
    }
    truth = np.concatenate([d.labels for d in finished.corpus.split("test")])
    arms = definitions.arms()
    for name, cells in result.rows.items():
        for context, cell in cells.items():
            values = []
            for seed in (24, 25):
                spec = next(s for s in finished.specs() if s.arm == arms[name] and s.seed == seed)
                folder = finished.store.root / run_key(spec, finished.corpus, "cpu")
                with np.load(folder / "predictions.npz") as arrays:
                    predicted = arrays[f"test/{context}"].argmax(1)
                values.append(f1_score(truth, predicted, average="weighted"))
            assert cell.values == pytest.approx(values)
            assert cell.summary.mean == pytest.approx(sum(values) / 2)
            assert cell.summary.std == pytest.approx(abs(values[0] - values[1]) / 2**0.5)
            assert cell.verdict is None


def test_values_follow_the_order_of_the_seeds(smoke_out, finished):
    backwards = prepare(smoke_out, seeds="25,24")
    assert backwards.missing() == [] and backwards.seeds == (25, 24)
    (forth,), (back,) = finished.results(), backwards.results()
    for name, cells in forth.rows.items():
        for context, cell in cells.items():
            assert back.rows[name][context].values == cell.values[::-1]


def test_published_values_stand_beside_and_are_judged_on_their_corpus_alone(finished):
    (table,), arguments = finished.tables, (finished.profile, finished.protocol, finished.seeds)
    cells = results.collect(table, *arguments, finished.corpus, finished.store, "cpu").rows
    assert cells["COGMEN-AV"]["A"].published == 0.426
    real = replace(finished.corpus, published=True)
    judged = results.collect(table, *arguments, real, finished.store, "cpu").rows
    for row in judged.values():
        for cell in row.values():
            near = abs(cell.published - cell.summary.mean) <= 2 * cell.summary.std
            assert cell.verdict == ("inside" if near else "outside")


def test_what_the_table_says_of_itself(finished):
    (result,) = finished.results()
    assert (result.corpus, result.corpus_hash) == ("synthetic-tiny", finished.corpus.hash)
    assert (result.profile, result.protocol, result.seeds) == ("smoke", "paper", (24, 25))
    assert result.notes == finished.corpus.notes and "synthetic" in result.notes[0]


def test_runs_go_seed_by_seed(finished):
    assert [(s.seed, s.arm.name) for s in finished.specs()] == [
        (seed, arm) for seed in (24, 25) for arm in ("COGMEN-A", "COGMEN-AV", "COGMEN-Mask")
    ]


@pytest.fixture
def two_tables(tmp_path, monkeypatch):
    """A copy of ``tables/`` with a second table that names COGMEN-A under another name."""
    folder = tmp_path / "tables"
    shutil.copytree(definitions.folder(), folder)
    (folder / "table9.toml").write_text(
        'title = "Nine"\nsource = "nowhere"\ncontexts = ["A"]\n[[rows]]\nname = "Base"\narm = "COGMEN-A"\n'
    )
    monkeypatch.setattr(definitions, "folder", lambda: folder)


def test_an_arm_that_two_tables_name_is_trained_once(two_tables, smoke_out, tmp_path):
    both = prepare(tmp_path, ("table9", "table2"))
    assert len(both.specs()) == 6 == len(set(both.keys()))
    assert len(prepare(tmp_path, ("table9",)).specs()) == 2
    done = prepare(smoke_out, ("table9", "table2"))
    assert done.missing() == []
    nine, two = done.results()
    assert nine.rows["Base"]["A"].values == two.rows["COGMEN-A"]["A"].values
    assert nine.rows["Base"]["A"].published is None


def test_two_rows_may_name_one_arm(finished):
    (table,) = finished.tables
    twice = replace(table, rows=(*table.rows, Row("again", "COGMEN-A")))
    rows = results.collect(
        twice, finished.profile, finished.protocol, finished.seeds, finished.corpus, finished.store, "cpu"
    ).rows
    assert rows["again"]["A"].values == rows["COGMEN-A"]["A"].values


def test_the_released_protocol_is_other_runs_in_another_folder(finished, smoke_out):
    released = prepare(smoke_out, protocol="released")
    assert len(released.missing()) == 6
    assert released.folder == smoke_out / "synthetic-tiny" / "smoke-released" != finished.folder


def test_seeds_are_added_to_what_is_finished(smoke_out):
    more = prepare(smoke_out, seeds="25,26,24")
    assert [(s.seed, s.arm.name) for s in more.missing()] == [
        (26, name) for name in ("COGMEN-A", "COGMEN-AV", "COGMEN-Mask")
    ]
    assert "9 runs, 6 finished, 3 to train" in more.describe(3)


@pytest.mark.parametrize(
    ("arguments", "kind"), [({"tables": ["table2", "tabel3"]}, UnknownTable), ({"seeds": "24,24"}, BadSeeds)]
)
def test_mistakes_are_found_before_anything_is_done(tmp_path, arguments, kind):
    with pytest.raises(kind):
        prepare(tmp_path / "out", **arguments)
    assert not (tmp_path / "out").exists()


def test_a_missing_stream_is_found_before_anything_is_trained(tmp_path):
    from replicate.corpus.archive import write

    from .conftest import small_corpus

    source = small_corpus()
    only = tuple(replace(d, features={"audio": d.features["audio"]}) for d in source.dialogues)
    write(replace(source, dialogues=only), tmp_path / "speech.npz")
    with pytest.raises(MissingStream, match="'visual'"):
        prepare(tmp_path / "out", data=str(tmp_path / "speech.npz"))


def test_the_files_of_the_campaign_hold_its_numbers(finished, smoke_results):
    (result,) = finished.results()
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
