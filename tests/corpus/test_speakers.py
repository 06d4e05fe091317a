import numpy as np
import pytest

from replicate.corpus.speakers import sessions_of, speaker_groups, speakers_of
from replicate.corpus.types import Corpus, Dialogue


def corpus(ids, speakers=("M", "F"), used=None):
    """Dialogues of two utterances; ``used``: the numbers of the speakers in each."""
    made = [
        Dialogue(id_, np.array(numbers), np.array([0, 1]), {"audio": np.ones((2, 1), np.float32)}, "train")
        for id_, numbers in zip(ids, used or [[0, 0]] * len(ids), strict=True)
    ]
    return Corpus("c", ("no", "yes"), tuple(made), tuple(speakers))


IEMOCAP = ["Ses01F_impro01", "Ses02M_script01_1", "Ses01M_impro07"]


def test_both_actors_of_an_iemocap_session_are_in_all_its_dialogues():
    found = corpus(IEMOCAP)
    assert sessions_of(found) == dict(zip(IEMOCAP, ("Ses01", "Ses02", "Ses01"), strict=True))
    assert speakers_of(found)["Ses02M_script01_1"] == {"Ses02M", "Ses02F"}
    assert speaker_groups(found) == {"Ses01": {IEMOCAP[0], IEMOCAP[2]}, "Ses02": {IEMOCAP[1]}}


@pytest.mark.parametrize(
    ("id_", "session"),
    [("Syn01_001", "Syn01"), ("session12_a", "session12"), ("Session-3", "Session-3"), ("ses7", "ses7")],
)
def test_sessions_of_other_corpora(id_, session):
    assert sessions_of(corpus([id_])) == {id_: session}


@pytest.mark.parametrize("id_", ["d0", "12", "impro_Ses01", "assess1", "sesame", "Session_b"])
def test_other_ids_name_no_session(id_):
    assert sessions_of(corpus([id_])) is None and speakers_of(corpus([id_])) is None


def test_one_id_without_a_session_is_enough_not_to_know():
    assert sessions_of(corpus([*IEMOCAP, "other"])) is None and speaker_groups(corpus([*IEMOCAP, "other"])) is None


def test_ravdess_names_its_actors():
    found = speaker_groups(corpus(["actor01_0", "actor01_1", "actor10_0"]))
    assert found == {"actor01": {"actor01_0", "actor01_1"}, "actor10": {"actor10_0"}}


def test_every_video_of_mosi_has_a_speaker_of_its_own():
    assert speaker_groups(corpus(["1Dm", "2iD"], ("speaker",))) == {"1Dm": {"1Dm"}, "2iD": {"2iD"}}
    assert speaker_groups(corpus(["1Dm", "2iD"], ("anna",))) is None


def test_dialogues_that_share_a_named_speaker_are_connected():
    names = ("ann", "ben", "cid", "dan", "eve")
    found = corpus(["a", "b", "c", "d"], names, [[0, 1], [3, 4], [1, 2], [4, 4]])
    assert speakers_of(found)["c"] == {"ben", "cid"}
    assert speaker_groups(found) == {"ann+ben+cid": {"a", "c"}, "dan+eve": {"b", "d"}}


def test_names_of_persons_count_more_than_sessions():
    found = corpus(["Ses01_a", "Ses02_a", "Ses03_a"], ("ann", "ben", "cid"), [[0, 1], [1, 1], [2, 2]])
    assert speaker_groups(found) == {"ann+ben": {"Ses01_a", "Ses02_a"}, "Ses03": {"Ses03_a"}}
