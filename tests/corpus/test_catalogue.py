from __future__ import annotations

from pathlib import Path

import pytest

from replicate.corpus import catalogue, load, named_corpora
from replicate.corpus.catalogue import git_blob_id, is_iemocap4, is_one_of
from tests.corpus.conftest import corpus, dialogue

FOUR = ("angry", "happy", "neutral", "sad")


def test_git_blob_id_is_that_of_git(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"what is up, doc?")
    # The example of the book Pro Git, chapter 10.2.
    assert git_blob_id(tmp_path / "x") == "bd9dbf5aae1a3862dd1526723246b20206e5fc37"


def test_the_pinned_ids_are_those_of_the_published_files(shared_data: Path) -> None:
    files = named_corpora()["mosi"].files
    assert len(files) == 9
    for file in files:
        assert git_blob_id(shared_data / "mosi" / file.local) == file.blob
    assert is_one_of(shared_data / "mosi" / "transcripts.csv", files)
    assert not is_one_of(shared_data / "iemocap4_format" / "IEMOCAP_features_4.pkl", catalogue.IEMOCAP4)


@pytest.mark.parametrize(
    ("ids", "labels", "expected"),
    [
        (["Ses01F_impro01", "Ses05M_script01_1b", "Ses03M_impro05a"], FOUR, True),
        (["Ses01F_impro01"], ("happy", "sad", "neutral", "angry"), True),
        (["Ses01F_impro01"], (*FOUR, "excited"), False),
        (["Ses01F_impro01"], FOUR[:3], False),
        (["Ses01F_impro01", "actor01_0"], FOUR, False),
        (["Ses06F_impro01"], FOUR, False),
    ],
)
def test_iemocap_with_four_classes_is_known_by_dialogues_and_labels(
    ids: list[str], labels: tuple[str, ...], expected: bool
) -> None:
    assert is_iemocap4(corpus(*(dialogue(id_) for id_ in ids), labels=labels)) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("iemocap4_format", True),
        ("iemocap/iemocap4.npz", True),
        ("iemocap/iemocap4_cogmen_selection.npz", True),
        ("iemocap/iemocap6.npz", False),
        ("ravdess/ravdess4.npz", False),
        ("mosi", False),
    ],
)
def test_iemocap_among_real_corpora(path: str, expected: bool, shared_data: Path) -> None:
    found = load(shared_data / path)
    assert is_iemocap4(found) == expected and not found.published
