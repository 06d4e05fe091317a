"""Letters of figures: another installed font has them, or numbers stand for the words."""

import logging
import re
from collections import namedtuple

import pytest
from matplotlib import font_manager

from replicate import fonts, plotting


@pytest.fixture(autouse=True)
def _nothing_noted(monkeypatch):
    monkeypatch.setattr(fonts, "_noted", set())


def footer(text: str) -> tuple[str, fonts.Letters]:
    with plotting.style("test") as letters:
        figure = plotting.sheet(plotting.Frame(text, "Footer."), 4, 2)
        axis = figure.subplots()
        axis.set_xticks([0, 1], [plotting.short(text), "b"])
        content = plotting.render(figure)
    assert content["png"][:4] == b"\x89PNG" and b"<?xml" in content["svg"]
    return figure.get_supxlabel(), letters


def test_words_without_a_font_are_numbers_with_a_legend_and_one_note(monkeypatch, caplog, recwarn):
    monkeypatch.setattr(fonts, "_installed", lambda first: [])
    with caplog.at_level(logging.WARNING, "replicate"):
        found = footer("情感 and 高兴")
        assert footer("情感")[1].numbers.legend() == "[1] 情感"
    assert re.sub(r"\s+", " ", found[0]) == (
        "Footer. Words with letters that no installed font has are numbered: [1] U+60C5 U+611F, [2] U+9AD8 U+5174."
    )
    assert found[1].numbers.legend() == "[1] 情感, [2] 高兴"
    assert [record.getMessage().count("情感") for record in caplog.records] == [1]
    assert not recwarn.list


def test_an_installed_font_is_used(monkeypatch, caplog, recwarn):
    """Of two fonts of this package the second has all letters; the first stands for one without them."""
    path = font_manager.findfont("DejaVu Sans")
    monkeypatch.setattr(fonts, "_installed", lambda first: [("other", "none"), ("DejaVu Serif", path)])
    real = fonts._letters
    found = {path: real(path), "none": frozenset()}
    calls = iter([frozenset(map(ord, "Footer. bt"))])
    monkeypatch.setattr(fonts, "_letters", lambda path: next(calls, found[path]))
    text, letters = footer("Łódź")
    assert text == "Footer." and letters.families == ["DejaVu Sans", "DejaVu Serif"] and not letters.numbers.words
    assert not caplog.records and not recwarn.list


def test_upright_fonts_of_a_weight_near_to_normal_come_first(monkeypatch):
    """Of Chinese fonts some are of weight 500 alone; a last resort is never chosen."""
    kinds = {"a": ("Bold", "normal", 700), "b": ("Slanted", "italic", 400), "c": ("Medium", "normal", 500)}
    kinds |= {"d": ("Last Resort", "normal", 400), "e": ("Plain", "normal", 400), "f": ("Chosen", "italic", 900)}
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: [*kinds, "damaged"])
    monkeypatch.setattr(fonts, "FT2Font", lambda path: path)
    entry = namedtuple("entry", "name style weight")
    monkeypatch.setattr(font_manager, "ttfFontProperty", lambda path: entry(*kinds[path]))
    found = fonts._installed.__wrapped__(("Chosen",))
    assert [name for name, _ in found] == ["Chosen", "Plain", "Medium", "Bold", "Slanted"]


def test_what_a_legend_would_hide_is_shown():
    with plotting.style("test"):
        assert plotting.label("_calm\x1b") == " _calm\ufffd"
    assert plotting.label("_calm\x1b") == "_calm\ufffd"
