"""Texts of a corpus that a later step could not show or write are refused when it is read or made."""

from dataclasses import replace

import pytest

from export import metadata
from replicate.corpus import archive, load
from replicate.corpus.texts import _SETTINGS, LONGEST_NOTE, MOST, MOST_NOTES, check_texts
from replicate.errors import BadName, TooLarge


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
        ({"columns": 3}, "'columns' is 3, not a list of different names"),
        ({"columns": ["a", 1]}, "'columns' is a list, not"),
        ({"columns": ["a", "a"]}, "'columns' is a list, not"),
        ({"versions": ["a"]}, "'versions' is a list, not a version for each package"),
        ({"versions": {"a": None}}, "'versions' is a dict, not"),
        ({"layer": -1}, "'layer' is -1, not a layer"),
        ({"model": " "}, "'model' is ' ', not a text"),
        ({"weights": [float("nan")]}, "'weights' is a list, not a list of numbers"),
        ({"threshold": float("inf")}, "holds inf, which no exported model can hold"),
        ({"chunk_seconds": 0}, "'chunk_seconds' is 0, not a number of seconds"),
        ({"": 1}, "is empty"),
        ({"other": [[1]]}, "holds a list"),
        ({"other": 2**70}, "more than 64 bits"),
        ({"model": "m" * 1001}, "more than 1000"),
        ({"weights": [0.5] * 10_001}, "more than 10000"),
    ],
)
def test_recipes(corpus, tmp_path, recipe, problem):
    with pytest.raises(BadName, match=problem):
        check_texts(replace(corpus, recipes={"audio": recipe}))


def test_what_a_recipe_may_hold_a_bundle_may_hold():
    """The two lists are in two modules, since ``predict.py`` of a bundle imports nothing of this package."""
    assert set(_SETTINGS) == set(metadata._RECIPE)
    for values in (True, -1, 0, 3, 1e400, "", " ", "x", [], ["a"], ["a", "a"], [1.5], {"a": "1"}, {"": "1"}, {"a": 1}):
        for name, (good, _) in _SETTINGS.items():
            assert not good(values) or metadata._RECIPE[name](values), (name, values)


@pytest.mark.parametrize("what", ["classes", "streams", "speakers"])
def test_more_names_than_tables_can_show(corpus, tmp_path, monkeypatch, what):
    archive.write(corpus, tmp_path / "c.npz")
    monkeypatch.setitem(MOST, what, 1)
    with pytest.raises(TooLarge, match=rf"has \d+ {what}, more than 1: check"):
        check_texts(corpus)
    with pytest.raises(TooLarge, match=rf"c.npz has \d+ {what}, more than 1: check"):
        archive.read(tmp_path / "c.npz")


def test_a_file_is_checked_when_it_is_read(corpus, tmp_path, monkeypatch):
    path = tmp_path / "c.npz"
    monkeypatch.setattr(archive, "check_texts", lambda corpus: corpus)
    archive.write(replace(corpus, notes=("",)), path)
    with pytest.raises(BadName, match=rf"{path}: corpus .*: note 1 is empty"):
        load(path)
    archive.write(replace(corpus, recipes={"audio": {"columns": 3}}), path)
    with pytest.raises(BadName, match=rf"{path}: 'recipes': recipe of stream 'audio', setting 'columns'"):
        load(path)
