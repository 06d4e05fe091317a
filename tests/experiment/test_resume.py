import json
from dataclasses import replace
from pathlib import Path

import pytest

from replicate.corpus.archive import write as write_corpus
from replicate.corpus.synthetic import generate
from replicate.errors import NotThisFormat, UnknownCorpus
from replicate.experiment.collect import tables
from replicate.experiment.resume import from_manifest, with_finished
from replicate.report import manifest
from replicate.store.record import CHECKPOINT

from .test_campaign import plant, prepare


def finished(out, *names, **options):
    """A campaign whose runs and manifest are there."""
    campaign = prepare(out, names, **options)
    plant(campaign)
    manifest.write(campaign, tables(campaign), 1.0)
    return campaign


def same(one, other):
    return all(getattr(one, name) == getattr(other, name) for name in ("tables", "profile", "protocol", "seeds")) and (
        (one.corpus.hash, one.source, one.keep_dropped, one.tasks)
        == (other.corpus.hash, other.source, other.keep_dropped, other.tasks)
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
def test_a_manifest_gives_its_campaign_back(tmp_path, options):
    campaign = finished(tmp_path / "out", "table4", "table3", **options)
    again = from_manifest(campaign.folder)
    assert same(again, campaign) and again.folder.resolve() == campaign.folder.resolve()
    assert again.missing() == []
    assert [result.rows for result in tables(again)] == [result.rows for result in tables(campaign)]


def test_a_corpus_of_ones_own_is_found_from_elsewhere(tmp_path, monkeypatch):
    write_corpus(replace(generate("synthetic-tiny"), name="mine"), tmp_path / "mine.npz")
    monkeypatch.chdir(tmp_path)
    campaign = finished(Path("out"), "table4", data="mine.npz")
    folder = campaign.folder.resolve()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert from_manifest(folder).missing() == []


def test_a_corpus_that_has_changed_is_refused(tmp_path):
    source = replace(generate("synthetic-tiny"), name="mine")
    write_corpus(source, tmp_path / "mine.npz")
    campaign = finished(tmp_path / "out", "table4", data=tmp_path / "mine.npz")
    write_corpus(replace(source, dialogues=source.dialogues[:-1]), tmp_path / "mine.npz")
    with pytest.raises(UnknownCorpus, match="mine has changed"):
        from_manifest(campaign.folder)
    (tmp_path / "mine.npz").unlink()
    with pytest.raises(UnknownCorpus):
        from_manifest(campaign.folder)


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"tables": 3}', "null"])
def test_a_broken_manifest_is_named(tmp_path, content):
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(NotThisFormat, match=r"manifest\.json"):
        from_manifest(tmp_path)


@pytest.mark.parametrize("key", ["tables", "seeds", "source", "store", "corpus", "keep_dropped", "protocol", "device"])
def test_a_manifest_that_lacks_something_is_named(tmp_path, key):
    folder = finished(tmp_path, "table4", seeds="24,").folder
    content = json.loads((folder / "manifest.json").read_text())
    del content[key]
    (folder / "manifest.json").write_text(json.dumps(content))
    with pytest.raises(NotThisFormat, match=key):
        from_manifest(folder)


def names(campaign):
    return [table.name for table in campaign.tables]


def test_tables_that_were_finished_earlier_join(tmp_path):
    finished(tmp_path, "table4")
    later = prepare(tmp_path, ("table3",))
    plant(later)
    both = with_finished(later)
    assert names(both) == ["table3", "table4"] and names(later) == ["table3"]
    assert set(both.tasks) > set(later.tasks) and both.missing() == []
    # In the order of the paper, and what is asked for again is there once.
    assert names(with_finished(prepare(tmp_path, ("table4", "table3")))) == ["table3", "table4"]


@pytest.mark.parametrize(
    "options", [{"seeds": "24,"}, {"seeds": "25,24"}, {"protocol": "released"}, {"keep_dropped": True}]
)
def test_tables_of_other_conditions_do_not_join(tmp_path, options):
    finished(tmp_path, "table4")
    assert names(with_finished(prepare(tmp_path, ("table2",), **options))) == ["table2"]


def test_without_a_manifest_nothing_joins(tmp_path):
    campaign = prepare(tmp_path, ("table2",))
    assert names(with_finished(campaign)) == ["table2"]
    campaign.folder.mkdir(parents=True)
    for content in ("", "{}", "[]", '{"seeds": [24, 25], "device": "cpu"}'):
        (campaign.folder / "manifest.json").write_text(content)
        assert names(with_finished(campaign)) == ["table2"]


@pytest.mark.parametrize("damage", ["gone", "damaged"])
def test_a_table_that_lacks_a_run_stays_out(tmp_path, damage):
    earlier = finished(tmp_path, "table4")
    key = next(iter(earlier.tasks))
    if damage == "gone":
        earlier.store.remove(key)
    else:
        (earlier.store.root / key / CHECKPOINT).write_bytes(b"")
    assert names(with_finished(prepare(tmp_path, ("table3",)))) == ["table3"]


def test_a_table_that_no_longer_exists_stays_out(tmp_path):
    folder = finished(tmp_path, "table4").folder
    content = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(content | {"tables": ["table4", "table9"]}))
    assert names(with_finished(prepare(tmp_path, ("table3",)))) == ["table3", "table4"]
