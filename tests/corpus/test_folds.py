from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicate.corpus import load
from replicate.corpus.folds import folds
from replicate.corpus.speakers import speakers_of
from replicate.corpus.types import Corpus, Dialogue
from replicate.errors import BadFolds, MissingClass


def corpus(ids, lengths=None, speakers=("M", "F"), splits=None, labels=None):
    """Dialogues of classes no, yes, no, ...; ``labels`` replaces those of single dialogues."""
    made = []
    for i, id_ in enumerate(ids):
        n = lengths[i] if lengths else 4
        own = (labels or {}).get(id_, np.arange(n) % 2)
        features = {"audio": np.full((n, 1), i, np.float32)}
        made.append(Dialogue(id_, np.zeros(n, np.int64), np.array(own), features, splits[i] if splits else "train"))
    return Corpus("c", ("no", "yes"), tuple(made), speakers, published=True)


def ids_of(fold, split):
    return [dialogue.id for dialogue in fold.corpus.split(split)]


SESSIONS = corpus([f"Ses0{s}_{i}" for s in (1, 2, 3) for i in range(5)])
ACTORS = corpus([f"actor{a:02}_{i}" for a in range(1, 25) for i in range(2)])


def test_each_session_is_the_test_split_once():
    found = folds(SESSIONS, "session")
    assert [fold.title for fold in found] == ["fold 1 of 3: Ses01", "fold 2 of 3: Ses02", "fold 3 of 3: Ses03"]
    assert [fold.corpus.name for fold in found][1] == "c, fold 2 of 3: Ses02"
    for fold in found:
        assert ids_of(fold, "test") == [f"{fold.name}_{i}" for i in range(5)]
        assert len(ids_of(fold, "dev")) == 1 and len(ids_of(fold, "train")) == 9
        assert fold.corpus.published is False
    assert len({fold.corpus.hash for fold in found} | {SESSIONS.hash}) == 4


def test_few_speakers_are_a_fold_each_and_many_are_joined():
    few = corpus([f"actor0{a}_{i}" for a in (1, 2, 3) for i in range(4)])
    assert [fold.title for fold in folds(few, "speaker")] == [f"fold {a} of 3: actor0{a}" for a in (1, 2, 3)]
    many = folds(ACTORS, "speaker")
    assert [fold.title for fold in many] == [f"fold {i} of 5" for i in (1, 2, 3, 4, 5)]
    assert [len(ids_of(fold, "test")) for fold in many] == [10, 10, 10, 10, 8]


def test_folds_have_about_equally_many_utterances():
    lengths = [9, 1, 1, 1, 1, 1, 1, 5, 4, 3]
    found = folds(corpus([f"actor{i}_0" for i in range(10)], lengths), "speaker")
    assert sorted(sum(map(len, fold.corpus.split("test"))) for fold in found) == [4, 4, 5, 5, 9]


@pytest.mark.parametrize("how", ["speaker", "4"])
def test_no_speaker_is_in_two_test_splits_or_in_two_splits_of_a_fold(how):
    seen = set()
    for fold in folds(ACTORS, how):
        of = speakers_of(fold.corpus)
        speakers = [{name for id_ in ids_of(fold, split) for name in of[id_]} for split in ("train", "dev", "test")]
        assert all(speakers) and sum(map(len, speakers)) == len(set.union(*speakers)) == 24
        assert not seen & speakers[2]
        seen |= speakers[2]
    assert len(seen) == 24


def test_dialogues_of_unknown_speakers_are_divided_by_number():
    found = folds(corpus([f"d{i}" for i in range(9)]), "3")
    assert [ids_of(fold, "test") for fold in found] == [["d0", "d3", "d6"], ["d1", "d4", "d7"], ["d2", "d5", "d8"]]


MOSI = corpus([f"v{i}" for i in range(12)], speakers=("speaker",), splits=["train"] * 6 + ["dev"] * 2 + ["test"] * 4)


def test_dev_rotates_and_test_stays():
    found = folds(MOSI, "dev-4")
    assert all(ids_of(fold, "test") == ["v8", "v9", "v10", "v11"] for fold in found)
    assert [ids_of(fold, "dev") for fold in found] == [["v0", "v4"], ["v1", "v5"], ["v2", "v6"], ["v3", "v7"]]
    assert all(len(ids_of(fold, "train")) == 6 for fold in found)


def test_a_speaker_may_be_in_dev_and_train_where_there_are_too_few():
    splits = ["test" if id_.id.startswith("Ses03") else "train" for id_ in SESSIONS.dialogues]
    found = folds(corpus([d.id for d in SESSIONS.dialogues], splits=splits), "dev-5")
    assert [len(ids_of(fold, "dev")) for fold in found] == [2] * 5


def test_a_fold_that_is_the_corpus_s_own_split_is_the_corpus():
    own = folds(SESSIONS, "session")[2].corpus
    unchanged = replace(own, name="c", published=True)
    assert folds(unchanged, "session")[2].corpus is unchanged


def test_dropped_dialogues_change_no_test_split_of_the_others():
    left = {"actor03_0", "actor03_1", "actor11_0"}
    for whole, less in zip(folds(ACTORS, "speaker"), folds(ACTORS, "speaker", left), strict=True):
        assert ids_of(less, "test") == [id_ for id_ in ids_of(whole, "test") if id_ not in left]
        assert len(less.corpus.dialogues) == 45


def test_dev_is_chosen_so_that_it_has_all_classes():
    ids = [d.id for d in SESSIONS.dialogues]
    (usual,) = ids_of(folds(SESSIONS, "session")[0], "dev")
    found = folds(corpus(ids, labels={usual: [0, 0, 0, 0]}), "session")[0]
    assert ids_of(found, "dev") != [usual]


@pytest.mark.parametrize(("split", "with_yes"), [("dev", ["Ses02_0"]), ("train", [])])
def test_a_class_that_train_or_dev_lacks_is_named_with_the_fold(split, with_yes):
    ids = [d.id for d in SESSIONS.dialogues]
    labels = {id_: [0, 0, 0, 0] for id_ in ids if id_ not in (*with_yes, "Ses01_0")}
    with pytest.raises(
        MissingClass, match=r"^corpus c, fold 1 of 3: Ses01: no utterance of class 'yes' in (dev|train)"
    ):
        folds(corpus(ids, labels=labels), "session")


@pytest.mark.parametrize(
    ("ids", "how", "message"),
    [
        (["a", "b"], "sessions", "none of session, speaker, K and dev-K"),
        (["a", "b"], "1", "none of session"),
        (["a", "b"], "dev-1", "none of session"),
        (["a", "b"], "dev-session", "none of session"),
        (["a", "b"], "²", "none of session"),
        (["a", "b"], "session", r"such as 'a' do not begin with a session \(Ses01..., session1...\)"),
        (["a", "b"], "speaker", "do not tell who speaks, and speakers called M and F may be roles"),
        (["Ses01_a", "Ses01_b"], "session", "has the session Ses01 alone"),
        (["a", "b"], "3", "3 folds, but only 2 groups of dialogues without a common speaker: take fewer folds"),
        (["actor1_a", "actor1_b"], "2", "only 1 groups .* take dev-K"),
        (["actor1_a", "actor1_b"], "speaker", "only 1 groups .* take dev-K"),
        (["a", "b"], "2", "fold 1 of 2: no dialogue is left for train"),
    ],
)
def test_impossible_folds_are_refused_in_one_line(ids, how, message):
    with pytest.raises(BadFolds, match=message) as raised:
        folds(corpus(ids), how)
    assert "\n" not in str(raised.value)


def test_a_speaker_in_two_sessions_is_refused():
    made = corpus(["Ses01_a", "Ses01_b", "Ses02_a"], speakers=("ann", "ben", "cid"))
    with pytest.raises(BadFolds, match="speaker ann is in Ses01 and Ses02, so in the test splits of two folds"):
        folds(made, "session")


@given(st.lists(st.integers(1, 6), min_size=12, max_size=30), st.integers(2, 5))
def test_every_dialogue_is_in_one_test_split(lengths, number):
    found = folds(corpus([f"d{i}" for i in range(len(lengths))], [2 * n for n in lengths]), str(number))
    tested = [id_ for fold in found for id_ in ids_of(fold, "test")]
    assert sorted(tested) == sorted(f"d{i}" for i in range(len(lengths)))
    for fold in found:
        assert [d.id for d in fold.corpus.dialogues] == [f"d{i}" for i in range(len(lengths))]
        assert ids_of(fold, "dev") and ids_of(fold, "train")


def test_the_sessions_of_the_synthetic_corpus():
    assert [fold.name for fold in folds(load("synthetic-tiny"), "session")] == [f"Syn0{i}" for i in range(1, 6)]
