"""Texts of a corpus that a later step could not show or write are refused when it is read or made."""

from dataclasses import replace

import pytest

from replicate.corpus import archive, load
from replicate.corpus.texts import LONGEST_NOTE, MOST_NOTES, check_texts
from replicate.errors import BadName


@pytest.fixture(scope="module")
def corpus():
    return load("synthetic-tiny")


@pytest.mark.parametrize(
    ("notes", "problem"),
    [
        (("",), "note 1 is empty"),
        (("fine", " \t"), "note 2 is empty"),
        (("x" * (LONGEST_NOTE + 1),), f"more than {LONGEST_NOTE}"),
        (("x",) * (MOST_NOTES + 1), f"at most {MOST_NOTES}"),
        (("a\ud800",), "surrogate"),
    ],
)
def test_notes(corpus, tmp_path, notes, problem):
    with pytest.raises(BadName, match=problem):
        archive.write(replace(corpus, notes=notes), tmp_path / "c.npz")
    assert not any(tmp_path.iterdir())


def test_a_note_may_have_any_letters_and_is_shown_on_one_line(corpus):
    assert check_texts(replace(corpus, notes=("50\u00a0% <b> 漢字\n\x1b[2J",))).notes


@pytest.mark.parametrize(
    ("recipe", "problem"),
    [
        ({"columns": 3}, "'columns' is not a list of names"),
        ({"columns": ["a", 1]}, "'columns' is not a list of names"),
        ({"versions": ["a"]}, "'versions' is not a version for each package"),
        ({"versions": {"a": None}}, "'versions' is not a version for each package"),
        ({"": 1}, "is empty"),
        ({"layer": [[1]]}, "holds a list"),
        ({"layer": 2**70}, "more than 64 bits"),
        ({"model": "m" * 1001}, "more than 1000"),
        ({"weights": [0.5] * 20_001}, "more than 20000"),
    ],
)
def test_recipes(corpus, tmp_path, recipe, problem):
    with pytest.raises(BadName, match=problem):
        check_texts(replace(corpus, recipes={"audio": recipe}))


def test_a_file_is_checked_when_it_is_read(corpus, tmp_path, monkeypatch):
    path = tmp_path / "c.npz"
    monkeypatch.setattr(archive, "check_texts", lambda corpus: corpus)
    archive.write(replace(corpus, notes=("",)), path)
    with pytest.raises(BadName, match=rf"{path}: corpus .*: note 1 is empty"):
        load(path)
    archive.write(replace(corpus, recipes={"audio": {"columns": 3}}), path)
    with pytest.raises(BadName, match=rf"{path}: 'recipes': recipe of stream 'audio', setting 'columns'"):
        load(path)
