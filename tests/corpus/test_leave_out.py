import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from replicate.config.tables import table
from replicate.corpus import load
from replicate.corpus.leave_out import leave_out
from replicate.corpus.types import Corpus, Dialogue

ONE = np.zeros(1, np.int64)
IEMOCAP = Path(os.environ.get("REPLICATE_SHARED", "../shared")) / "data" / "iemocap" / "iemocap4.npz"


def corpus(*splits):
    """One dialogue for each split, named by their numbers."""
    features = {"audio": np.ones((1, 2), np.float32)}
    dialogues = (Dialogue(str(i), ONE, ONE, features, split) for i, split in enumerate(splits))
    return Corpus("some", ("a", "b"), tuple(dialogues))


def dev(found):
    return [dialogue.id for dialogue in found.split("dev")]


def test_dev_is_cut_again_from_what_is_left():
    whole = corpus("dev", "dev", *["train"] * 8, "test", "test")
    found = leave_out(whole, {"0", "3", "11"})
    assert dev(found) == ["1"] and [d.id for d in found.split("train")] == ["2", "4", "5", "6", "7", "8", "9"]
    assert [d.id for d in found.split("test")] == ["10"]
    # The share of the whole corpus, rounded down, but never nothing.
    assert dev(leave_out(whole, {"9"})) == ["0"] and dev(leave_out(whole, set("2345678"))) == ["0"]


def test_a_dev_split_that_is_not_the_first_part_stays():
    for splits in (["train", "dev", "train", "train", "test"], ["dev", "train", "dev", "train", "test"]):
        whole = corpus(*splits)
        assert leave_out(whole, {"3"}).dialogues == whole.without({"3"}).dialogues


def test_test_dialogues_between_the_others_do_not_matter():
    assert dev(leave_out(corpus("test", "dev", "test", "dev", "train", "train"), {"1"})) == ["3"]


def test_nothing_to_leave_out_returns_the_corpus_itself():
    whole = corpus("dev", "train", "test")
    assert leave_out(whole, {"no such dialogue"}) is whole


@pytest.mark.slow
def test_iemocap_has_105_dialogues_left_and_10_of_them_are_dev():
    """The file has train before dev; the released list begins with dev."""
    if not IEMOCAP.exists():
        pytest.skip("needs iemocap4.npz below REPLICATE_SHARED")
    source = load(IEMOCAP)
    whole = replace(source, dialogues=(*source.split("dev"), *source.split("train"), *source.split("test")))
    assert len(dev(whole)) == 12
    for name in ("table4", "table5", "hubert"):
        found = leave_out(whole, table(name).leave_out)
        left = [d.id for d in whole.dialogues if d.split != "test" and d.id not in table(name).leave_out]
        assert len(left) == 105 and dev(found) == left[:10]
        assert (len(found.split("train")), len(found.split("test"))) == (95, 30)
        # In the order of the file, dev is not the first part, so it only loses what is left out.
        assert dev(leave_out(source, table(name).leave_out)) == dev(source.without(table(name).leave_out))


def test_the_released_corpus_is_cut_alike_whatever_its_features():
    dropped = table("table4").leave_out
    kept = [f"Ses{i}" for i in range(105)]
    ids = [*kept[:5], *dropped[:15], *kept[5:], *(f"Test{i}" for i in range(30)), dropped[15]]
    splits = ["dev"] * 12 + ["train"] * 108 + ["test"] * 31
    whole = corpus(*splits)
    whole = replace(whole, dialogues=tuple(replace(d, id=i) for d, i in zip(whole.dialogues, ids, strict=True)))
    assert dev(leave_out(whole, dropped)) == kept[:10]
