"""The letters of figures: from matplotlib's own font, from another installed one, or numbers in place of words."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import cache

import matplotlib
from matplotlib import font_manager
from matplotlib.ft2font import FT2Font

from replicate import escape

log = logging.getLogger(__name__)
# Its glyphs are boxes that name the script.
_NO_LETTERS = "Last Resort"
_noted: set[str] = set()


class Letters:
    """What one figure needs to show foreign text.

    Attributes:
        families: fonts to use, in this order, for a letter that those before it lack.
        numbers: the words whose letters no installed font has.
    """

    def __init__(self) -> None:
        self.families = list(matplotlib.rcParams["font.sans-serif"][:1])
        self._known = _letters(font_manager.findfont(self.families[0]))
        self.numbers = escape.Numbers(lambda c: not c.isspace() and ord(c) not in self._known)

    def __call__(self, text: str) -> str:
        """Return text on one line, with numbers in place of words that cannot be shown."""
        text = escape.line(text)
        for word in text.split():
            lacking = {*map(ord, word)} - self._known
            if lacking:
                self._add_font(lacking)
        known = len(self.numbers.words)
        text = self.numbers(text)
        if len(self.numbers.words) > known:
            _note(self.numbers.words[known + 1])
        # A legend leaves out what begins with an underscore.
        return f" {text}" if text.startswith("_") else text

    def _add_font(self, lacking: set[int]) -> None:
        for family, path in _installed(tuple(_chosen_by_user())):
            if lacking <= _letters(path):
                font_manager.fontManager.addfont(path)
                self.families.append(family)
                self._known = self._known | _letters(path)
                return


def _chosen_by_user() -> Iterator[str]:
    """Yield the families of the user's matplotlibrc, which are tried first."""
    for key in ("font.family", "font.sans-serif"):
        yield from matplotlib.rcParamsOrig[key]


@cache
def _installed(first: tuple[str, ...]) -> list[tuple[str, str]]:
    """Return family and file of all fonts: those of ``first`` before others, upright ones, and then those of a weight
    near to normal; many fonts with Chinese letters have another one.
    """
    found = []
    for path in font_manager.findSystemFonts():
        try:
            entry = font_manager.ttfFontProperty(FT2Font(path))
        except Exception:  # a damaged font, or one of bitmaps: FreeType's errors have no common base
            continue
        if not entry.name.startswith(_NO_LETTERS):
            place = first.index(entry.name) if entry.name in first else len(first)
            found.append((place, entry.style != "normal", abs(int(entry.weight) - 400), entry.name, path))
    return [(name, path) for *_, name, path in sorted(found)]


@cache
def _letters(path: str) -> frozenset[int]:
    return frozenset(FT2Font(path).get_charmap())


def _note(word: str) -> None:
    """Log once, and not for every figure, that numbers are shown."""
    if not _noted:
        log.warning(
            "no installed font has the letters of %r: figures show numbers in place of such words, with a legend; "
            "install a font of that script, such as Noto Sans",
            word[:20],
        )
    _noted.add(word)
