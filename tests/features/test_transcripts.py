from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from replicate.corpus.types import Corpus
from replicate.errors import BadSource, MissingText, NoMatch, UnexpectedCounts
from replicate.features import transcripts
from tests.corpus.conftest import corpus, dialogue

TABLE = """dialogue,utterance,speaker,label,split,text
d1,u1,M,calm,train,Good morning
d1,u2,F,angry,train,"Not, at
all"
d2,u3,M,calm,test,
"""


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "calls" / "table.csv"
    path.parent.mkdir()
    path.write_text(TABLE)
    return path


def test_a_table_gives_utterances_and_their_text(table: Path) -> None:
    for path, name in ((table, "table"), (table.parent, "calls")):
        found = transcripts.read(path)
        assert (found.source.name, found.source.labels) == (name, ("angry", "calm"))
        assert [(one.dialogue, one.name, one.speaker, one.label, one.split) for one in found.source.utterances] == [
            ("d1", "u1", "M", "calm", "train"),
            ("d1", "u2", "F", "angry", "train"),
            ("d2", "u3", "M", "calm", "test"),
        ]
        assert list(found.texts.values()) == ["Good morning", "Not, at all", ""]


def test_missing_text_is_named_dropped_or_taken_as_empty(table: Path) -> None:
    found = transcripts.read(table)
    with pytest.raises(MissingText, match=r"^1 of 3 utterances have no text \(d2/u3\): fill .*--drop.*--allow-empty$"):
        transcripts.complete(found, drop=False, allow_empty=False)
    dropped, without = transcripts.complete(found, drop=True, allow_empty=False)
    assert [one.name for one in dropped.source.utterances] == ["u1", "u2"]
    assert [one.name for one in without] == ["u3"]
    assert transcripts.complete(found, drop=False, allow_empty=True) == (found, without)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("split,text", "split,words", "has no column text"),
        ("d1,u2", "d1,u1", "line 3: utterance u1 is also in"),
        ("d1,u1,M", "d1,u1,", "line 2: speaker is empty"),
        ("angry", "", "u2 has no label"),
    ],
)
def test_an_invalid_table_is_refused(old: str, new: str, words: str, table: Path) -> None:
    table.write_text(table.read_text().replace(old, new))
    with pytest.raises(BadSource, match=words):
        transcripts.read(table)


def test_a_missing_path_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadSource, match="no CSV and no folder"):
        transcripts.read(tmp_path / "absent.csv")


def named(**changes: tuple[str, ...]) -> Corpus:
    """Dialogues a (train) and b (test) of two utterances each."""
    names = {"a": ("a1", "a2"), "b": ("b1", "b2")} | changes
    return corpus(
        *(dialogue(id_, split=split, utterances=names[id_]) for id_, split in (("b", "test"), ("a", "train")))
    )


def test_another_corpus_gives_all_but_the_text(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("words,utterance\none,a1\ntwo,a2\nthree,b1\nmore,c1\n")
    found = transcripts.read(tmp_path / "t.csv", column="words", like=named())
    assert (found.source.name, found.source.labels) == ("made-up", ("no", "yes"))
    assert [(one.dialogue, one.name, one.speaker, one.label, one.split) for one in found.source.utterances] == [
        ("b", "b1", "M", "no", "test"),
        ("b", "b2", "F", "yes", "test"),
        ("a", "a1", "M", "no", "train"),
        ("a", "a2", "F", "yes", "train"),
    ]
    assert [found.texts[one] for one in found.source.utterances] == ["three", "", "one", "two"]


def test_names_must_tell_the_utterances_of_another_corpus(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("utterance,text\na1,one\n")
    with pytest.raises(BadSource, match="an utterance b1 in dialogues b and a"):
        transcripts.read(path, like=named(a=("b1", "a2")))
    with pytest.raises(NoMatch, match="have no names"):
        transcripts.read(path, like=corpus(dialogue()))
    path.write_text("utterance,text\na1,one\na1,two\n")
    with pytest.raises(BadSource, match="line 3: utterance a1 is listed twice"):
        transcripts.read(path, like=named())


@pytest.fixture
def transcribed(release: Path) -> Path:
    """The IEMOCAP release with transcriptions of two dialogues."""
    for session, name in (("Session1", "Ses01F_impro00"), ("Session5", "Ses05M_impro01")):
        folder = release / session / "dialog" / "transcriptions"
        folder.mkdir()
        (folder / f"{name}.txt").write_text(
            f"{name}_F000 [000.5000-000.9000]: Hello  there.\n"
            f"{name}_M001 [001.5000-001.9000]: \n"
            "M: [BREATHING]\n"
            f"{name}_F006 [006.5000-006.9000]: Caf\u00e9\n",
            encoding="latin1",
        )
    return release


def test_the_transcriptions_of_the_iemocap_release(transcribed: Path) -> None:
    with pytest.raises(UnexpectedCounts):
        transcripts.read(transcribed)
    found = transcripts.read(transcribed, allow_other_counts=True)
    assert len(found.source.utterances) == 80 and found.source.name == "iemocap4"
    assert {one.name: text for one, text in found.texts.items() if text} == {
        "Ses01F_impro00_F000": "Hello there.",
        "Ses05M_impro01_F000": "Hello there.",
    }


def test_the_release_with_the_selection_of_another_corpus(transcribed: Path) -> None:
    names = ("Ses01F_impro00_F006", "Ses01F_impro00_F000")
    like = corpus(dialogue("Ses01F_impro00", split="test", utterances=names))
    found = transcripts.read(transcribed, like=like, allow_other_counts=True)
    (first, second) = found.source.utterances
    assert found.source.labels == ("no", "yes")
    assert (first.name, first.label, first.split, found.texts[first]) == (names[0], "no", "test", "Caf\u00e9")
    assert (second.name, second.label, found.texts[second]) == (names[1], "yes", "Hello there.")
    absent = replace(like.dialogues[0], id="Ses09F_impro00", utterances=("x", "y"))
    found = transcripts.read(transcribed, like=corpus(absent), allow_other_counts=True)
    assert list(found.texts.values()) == ["", ""]
