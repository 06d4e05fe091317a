"""Text from files, made safe for each format of output: all foreign text goes through the function of its format.

Foreign are names, notes and recipes of corpora, what records and bundles say, cells of a user's CSV, names of files and
definitions of ``--config-dir``. HTML is escaped by the template of the page (with ``line``), LaTeX by
``replicate.report.latex.escape``, subtitles by ``export.audio.formats.subtitles``. ``export.output`` has copies of
``line``, ``csv_cell`` and ``json_text``, because ``predict.py`` of a bundle contains it and nothing of this package.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable
from itertools import groupby
from typing import Any

_ODD = "\N{REPLACEMENT CHARACTER}"
# What spreadsheets take for the beginning of a formula; the wide forms are that in some languages.
_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
# Numbers, also several with spaces between them, an interval, or the sign of a difference.
_NUMBERS = re.compile(r"[-+]?(?:\d[\d.,]*(?:e[-+]?\d+)?|inf|nan)(?: [-+]?(?:\d[\d.,]*(?:e[-+]?\d+)?|inf|nan))*")
_MARKDOWN = (
    (re.compile(r"\\"), r"\\\\"),
    (re.compile(r"&(?=#?\w+;)"), "&amp;"),  # else an entity could stand for a bracket
    (re.compile(r"<(?=[A-Za-z/!?])"), "&lt;"),
    (re.compile(r"\](?=[(\[:])"), r"\\]"),  # links, images and their definitions
    (re.compile(r"[*|]|~~|(?<!\w)_|_(?!\w)"), lambda found: "".join("\\" + c for c in found[0])),
)
# Headings, lists, quotations, rules and fences.
_BEGINS_LINE = re.compile(r"^(\d{0,9})(#{1,6}(?= |$)|[-+.)](?= |$)|>|[-=]+$|`{3,})")


def terminal(text: str) -> str:
    """Replace what could control a terminal; line ends and tabs stay."""
    return text if text.isprintable() else "".join(c if c in "\n\t" else _harmless(c) for c in text)


def line(text: str) -> str:
    """Return text on one line: line ends, tabs and wide spaces become spaces, other unprintable characters U+FFFD."""
    return text if text.isprintable() else "".join(map(_harmless, text))


def markdown(text: str, begins_line: bool = False) -> str:
    """Return text for a cell or within a line of Markdown: no HTML, link or emphasis, and no end of the cell.

    Args:
        begins_line: whether a line begins with it; then it is no heading, list or rule either.
    """
    text = line(text).strip()
    for pattern, replacement in _MARKDOWN:
        text = pattern.sub(replacement, text)
    return _BEGINS_LINE.sub(r"\1\\\2", text) if begins_line else text


def code(text: str) -> str:
    """Return text for a span or a block of code in Markdown."""
    return line(text).replace("`", "'")


def csv_cell(value: Any) -> Any:
    """Return a value for a CSV file: an apostrophe is put in front of text that spreadsheets take for a formula."""
    if not isinstance(value, str):
        return value
    text = line(value)
    return f"'{text}" if text.lstrip().startswith(_FORMULA) and not _NUMBERS.fullmatch(text) else text


def json_text(content: Any, indent: int | None = 1) -> str:
    r"""Return JSON in which letters of all scripts stay readable, and unprintable characters are written ``\uXXXX``."""
    text = json.dumps(content, indent=indent, ensure_ascii=False)
    if text.replace("\n", "").isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)


def _harmless(c: str) -> str:
    if c.isprintable():
        return c
    return " " if c in "\n\r\t\v\f\x85" or unicodedata.category(c) in ("Zs", "Zl", "Zp") else _ODD


class Numbers:
    """Numbers in place of words with letters that fonts lack, in the order in which they are met.

    Attributes:
        words: the words by their numbers, from 1.
    """

    def __init__(self, lacks: Callable[[str], bool]) -> None:
        self._lacks = lacks
        self.words: dict[int, str] = {}

    def __call__(self, text: str) -> str:
        """Return text in which ``[1]`` stands for the first of these words, and so on; a word is a run of letters."""
        pieces = []
        for odd, group in groupby(text, key=self._lacks):
            run = "".join(group)
            pieces.append(f"[{self._number(run)}]" if odd else run)
        return "".join(pieces)

    def legend(self) -> str:
        """Return ``[1] 快乐, [2] 悲伤``."""
        return ", ".join(f"[{number}] {word}" for number, word in self.words.items())

    def coded(self) -> str:
        """Return ``[1] U+5FEB U+4E50``, for where the letters cannot be shown; of long words the first letters."""
        return ", ".join(
            f"[{number}] {' '.join(f'U+{ord(c):04X}' for c in word[:8])}{' ...' * (len(word) > 8)}"
            for number, word in self.words.items()
        )

    def _number(self, word: str) -> int:
        known = {each: number for number, each in self.words.items()}
        if word not in known:
            self.words[len(self.words) + 1] = word
        return known.get(word, len(self.words))
