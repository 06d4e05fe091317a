from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replicate.corpus.merge import attach
from replicate.corpus.synthetic import NOTES
from replicate.corpus.types import Corpus, Dialogue
from replicate.errors import BadName, NoMatch

from .conftest import corpus, dialogue


def base(*names: str, **replace: Any) -> Corpus:
    return corpus(dialogue("d1", len(names), utterances=names), **replace)


def extra(*names: str, id_: str = "d1", **replace: Any) -> Corpus:
    """Row i of the stream holds i."""
    rows = np.arange(len(names), dtype=np.float32)[:, None]
    fields = {"features": {"hubert": rows}, "labels": np.zeros(len(names), np.int64), **replace}
    made = dialogue(id_, len(names), utterances=names, **fields)
    return corpus(made, name="extra", labels=("unlabelled",), recipes={"hubert": {"layer": "last"}})


def test_utterances_are_matched_by_name() -> None:
    found = attach(base("a", "b", "c"), extra("c", "a", "b", speakers=np.array([0, 0, 1])), "hubert")
    assert found.corpus.dialogues[0].features["hubert"].tolist() == [[1], [2], [0]]
    assert found.corpus.dialogues[0].labels.tolist() == [0, 1, 0]
    assert found.corpus.recipes == {"hubert": {"layer": "last"}}
    assert found.corpus.widths == {"audio": 2, "text": 1, "hubert": 1}
    assert found[1:] == ((), ())


def test_utterances_of_only_one_corpus_are_dropped_on_request_and_named() -> None:
    found = attach(base("a", "b", "c"), extra("a", "c", "x", speakers=np.array([0, 0, 1])), "hubert", drop=True)
    one = found.corpus.dialogues[0]
    assert (one.utterances, one.labels.tolist()) == (("a", "c"), [0, 0])
    assert one.features["audio"].tolist() == [[0, 1], [4, 5]]
    assert (found.without_stream, found.unused) == (("d1/b",), ("d1/x",))
    assert found.corpus.notes == ("1 utterances dropped that have no hubert features (d1/b)",)


def test_a_second_layer_is_attached_under_another_name() -> None:
    once = attach(base("a", "b"), extra("a", "b"), "hubert").corpus
    twice = attach(once, extra("b", "a", speakers=np.array([1, 0])), "hubert", name="hubert-second-to-last").corpus
    assert list(twice.widths) == ["audio", "text", "hubert", "hubert-second-to-last"]
    assert twice.dialogues[0].features["hubert"].tolist() == [[0], [1]]
    assert twice.dialogues[0].features["hubert-second-to-last"].tolist() == [[1], [0]]
    assert twice.recipes == {"hubert": {"layer": "last"}, "hubert-second-to-last": {"layer": "last"}}
    lost = attach(once, extra("a"), "hubert", drop=True, name="other").corpus
    assert lost.notes == ("1 utterances dropped that have no other features (d1/b)",)


def test_a_release_without_an_utterance_is_not_published() -> None:
    whole = base("a", "b", published=True)
    assert attach(whole, extra("a", "b"), "hubert").corpus.published
    assert not attach(whole, extra("a"), "hubert", drop=True).corpus.published


@pytest.mark.parametrize(("other", "control"), [("", ""), ("positive", ""), ("negative", "negative")])
def test_a_control_with_a_stream_of_another_kind_of_corpus_is_none(other: Any, control: str) -> None:
    note = NOTES["negative"]
    made = attach(
        base("a", control="negative", notes=(note, "more")), replace(extra("a"), control=other), "hubert"
    ).corpus
    assert made.control == control
    assert made.notes[-1] == "more" or "a negative control, which is none with hubert of extra" in made.notes[-1]
    assert (note in made.notes) == bool(control)


BAD: dict[str, tuple[str, Callable[[], Any]]] = {
    "only in one": (
        r"1 utterances of made-up are not in extra \(d1/b\), and 0 of extra",
        lambda: (base("a", "b"), extra("a")),
    ),
    "only in the other": (r"1 of extra not in made-up \(d1/b\)", lambda: (base("a"), extra("a", "b"))),
    "another dialogue": (r"\(d1/a\)", lambda: (base("a"), extra("a", id_="d2"))),
    "nothing in common": ("no utterance in common", lambda: (base("a"), extra("b"), "hubert", True)),
    "no names": ("made-up, dialogue d1: its utterances have no names", lambda: (corpus(dialogue()), extra("a"))),
    "no stream": ("no stream 'hubert': choose one of audio, text", lambda: (base("a"), base("a"))),
    "stream there already": ("already has a stream 'text'.*--as", lambda: (base("a"), base("a"), "text")),
    "name there already": (
        "already has a stream 'text'.*--as",
        lambda: (base("a"), extra("a"), "hubert", False, "text"),
    ),
    "another speaker": (
        "utterance b: speaker F in made-up, M in extra",
        lambda: (base("a", "b"), extra("a", "b", speakers=np.zeros(2, np.int64))),
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_corpora_that_do_not_match_are_refused(case: str) -> None:
    words, make = BAD[case]
    one, other, *more = make()
    with pytest.raises(NoMatch, match=words):
        attach(one, other, *(more or ["hubert"]))


@pytest.mark.parametrize("name", ["", "a\nb"])
def test_an_invalid_name_is_refused(name: str) -> None:
    with pytest.raises(BadName, match="stream name"):
        attach(base("a"), extra("a"), "hubert", name=name)


def test_labels_are_compared_where_both_have_them() -> None:
    labelled = corpus(*extra("a", "b").dialogues, name="extra")
    with pytest.raises(NoMatch, match="utterance b: label yes in made-up, no in extra"):
        attach(base("a", "b"), labelled, "hubert")


@settings(max_examples=30, deadline=None)
@given(st.permutations(range(6)), st.sets(st.integers(0, 5), min_size=1))
def test_features_stay_with_their_names_in_every_order_and_with_every_gap(order: list[int], kept: set[int]) -> None:
    names = tuple(f"u{i}" for i in range(6))
    there = [i for i in order if i in kept]
    rows = np.array(there, np.float32)[:, None]
    zeros = np.zeros(6, np.int64)
    one = Corpus("one", ("a",), (Dialogue("d", zeros, zeros, {"audio": np.arange(6.0)[:, None]}, "test", names),))
    other = Dialogue("d", zeros[there], zeros[there], {"hubert": rows}, "test", tuple(names[i] for i in there))
    found = attach(one, Corpus("other", ("a",), (other,)), "hubert", drop=True).corpus.dialogues[0]
    assert found.features["hubert"].tolist() == found.features["audio"].tolist() == [[i] for i in sorted(kept)]


@pytest.mark.parametrize(
    ("recipe", "name", "fits"),
    [
        ({"extractor": "hubert", "layer": "last"}, "hubert", True),
        ({"extractor": "hubert", "layer": "second-to-last"}, "hubert-second-to-last", True),
        ({"extractor": "hubert", "layer": "last"}, "hubert-second-to-last", False),
        ({"extractor": "hubert", "layer": "last"}, "visual", False),
        ({"extractor": "opensmile", "set": "IS09"}, "hubert", False),
        ({"extractor": "opensmile", "set": "IS09"}, "smile", True),
        ({"extractor": "opensmile", "set": "IS09"}, "text", False),
        ({"extractor": "tfidf"}, "text", True),
        ({"extractor": "sentence-encoder"}, "text", True),
        ({"extractor": "tfidf"}, "audio", False),
    ],
)
def test_a_stream_cannot_be_named_like_that_of_another_extractor(recipe: dict[str, Any], name: str, fits: bool) -> None:
    whole = corpus(dialogue("d1", 1, utterances=("a",), features={"sight": np.zeros((1, 2), np.float32)}))
    made = replace(extra("a"), recipes={"hubert": recipe})
    if fits:
        assert name in attach(whole, made, "hubert", name=name).corpus.widths
        return
    with pytest.raises(NoMatch, match=f"not what tables expect as '{name}'"):
        attach(whole, made, "hubert", name=name)
