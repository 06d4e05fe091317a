"""TextGrid, the annotations of Praat: a tier for each speaker, in it an interval for each stretch of speech or pause.

Format: the Praat manual, "TextGrid file formats". praatio writes TextGrids here and checks this reader in the tests. It
does not read them: it ends a tier without a word at the first interval that it does not understand, drops the sign
of times, and takes ``item [`` within a text for the next tier.
"""

from __future__ import annotations

import codecs
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, NoReturn

from replicate.errors import BadSource
from replicate.features.segments.base import LARGEST, Listed, Segment, content, names, require_room, speaker
from replicate.features.source import seconds
from replicate.limits import shown

_KIND = "a TextGrid"
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_BINARY = b"ooBinaryFile"
_TEXT_FILE, _CLASS = "ooTextFile", "TextGrid"
_INTERVALS, _POINTS = "IntervalTier", "TextTier"
# What Praat's own commands write into the pauses: "To TextGrid (silences)" and "To TextGrid (speech activity)".
_PAUSES = ("silent", "non-speech")
_WORD = re.compile(r'\s*([!"]|\S+)')


class _Token(NamedTuple):
    """A number, a text without its quotes, or a flag such as ``<exists>``; None as ``value`` at the end of the file."""

    value: float | str | None
    quoted: bool
    line: int


def read(path: Path) -> Listed:
    """Return every interval with a text, of all interval tiers; the tier's name is the speaker.

    Intervals without text, and those in which Praat's commands wrote that nobody speaks, are pauses. Point tiers are
    left out with a note.

    Raises:
        BadSource: it is not a TextGrid in text form, is cut short, or has no interval with a text. TooLarge: see
            ``content`` and ``require_room``.
    """
    text, notes = _decoded(path, content(path, _KIND, _UTF16))
    tokens = _Tokens(path, text)
    if not str(tokens.text("the file type")).startswith(_TEXT_FILE) or tokens.text("the object class") != _CLASS:
        raise BadSource(f"{path} is not a TextGrid: open it in Praat, and save it with Save as text file")
    if tokens.number("xmin"):
        notes.append(f"{path} does not begin at 0 s: check that its times are those of the recording")
    tokens.number("xmax")
    found: list[Segment] = []
    points: list[str] = []
    pauses: Counter[str] = Counter()
    for number in range(1, tokens.tiers() + 1):
        kind = tokens.text(f"the class of tier {number}")
        name = tokens.text(f"the name of tier {number}")
        tokens.number(f"xmin of tier {number}")
        tokens.number(f"xmax of tier {number}")
        size = tokens.count(f"the size of tier {number}")
        if kind == _POINTS:
            points.append(name)
            _skip_points(tokens, size, number)
        elif kind == _INTERVALS:
            found += _intervals(tokens, size, number, name, pauses, len(found))
        else:
            tokens.refuse(f"tier {number} is of class {shown(kind)}, not {_INTERVALS} or {_POINTS}")
    if tokens.next().value is not None:
        tokens.refuse("numbers or texts follow the last tier: the number of tiers or intervals is wrong")
    notes += [f"{path}: point tiers are left out, they have no segments: {names(points)}"] * bool(points)
    notes += [f"{path}: {count} intervals with the text {text!r} are pauses" for text, count in pauses.items()]
    if not found:
        why = f"; {notes[-1].partition(': ')[2]}" if points or pauses else ""
        raise BadSource(f"{path} has no interval with a text, so that nobody speaks{why}: write a text into each one")
    return Listed(tuple(found), tuple(notes))


def _decoded(path: Path, found: bytes) -> tuple[str, list[str]]:
    """Return the text of a file, and a note if it is in neither of Praat's usual encodings."""
    if found.startswith(_BINARY):
        raise BadSource(f"{path} is a binary file of Praat: open it there, and save it with Save as text file")
    try:
        if found.startswith(_UTF16):
            return found.decode("utf-16"), []
        return found.decode("utf-8-sig"), []
    except UnicodeDecodeError as error:
        if found.startswith(_UTF16) or b"\0" in found:
            raise BadSource(
                f"{path} is not text in UTF-8 or UTF-16 ({error.reason}): save it again in Praat"
            ) from error
        # Praat's preferences also offer Latin-1, in which every file is a text.
        return found.decode("latin-1"), [f"{path} is not in UTF-8: letters with accents are taken for Latin-1"]


def _intervals(
    tokens: _Tokens, size: int, tier: int, name: str, pauses: Counter[str], before: int
) -> Iterator[Segment]:
    """Yield the intervals of a tier that are no pauses; count those whose text says that they are."""
    for number in range(1, size + 1):
        place = f"interval {number} of tier {tier}"
        start, stop = tokens.number(f"xmin of {place}"), tokens.number(f"xmax of {place}")
        where = f"{tokens.where}, {place}"
        text = tokens.text(f"the text of {place}").strip()
        if text in _PAUSES:
            pauses[text] += 1
        elif text:
            before += 1
            require_room(before, tokens.path)
            yield Segment(start, stop, speaker(name, where, f"the name of tier {tier}"), where)


def _skip_points(tokens: _Tokens, size: int, tier: int) -> None:
    for number in range(1, size + 1):
        tokens.number(f"the time of point {number} of tier {tier}")
        tokens.text(f"the text of point {number} of tier {tier}")


class _Tokens:
    """The numbers, texts and flags of a file; as Praat does, it skips all other words, and comments from ``!`` on.

    The long and the short form have the same ones, in the same order.
    """

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self._text = text
        self._at = 0
        self._counted = 0
        self._line = 1

    @property
    def where(self) -> str:
        """File and line of the token before."""
        return f"{self.path}, line {self._line}"

    def number(self, what: str) -> float:
        """Return the next token, which must be a number."""
        token = self.next()
        if not isinstance(token.value, float):
            self._refuse(token, what, "a number")
        return token.value

    def count(self, what: str) -> int:
        """Return the next token, which must be a number of tiers or of intervals."""
        value = self.number(what)
        if not 0 <= value <= LARGEST or value != int(value):  # each of them needs some bytes
            self.refuse(f"{what} is {value:g}, and must be a number from 0 on")
        return int(value)

    def text(self, what: str) -> str:
        """Return the next token, which must be a text in double quotes."""
        token = self.next()
        if not isinstance(token.value, str) or not token.quoted:
            self._refuse(token, what, "a text in double quotes")
        return token.value

    def tiers(self) -> int:
        """Return the number of tiers: after a flag that there are some."""
        token = self.next()
        if token.value == "<absent>" and not token.quoted:
            return 0
        if token.value != "<exists>" or token.quoted:
            self._refuse(token, "whether there are tiers", "<exists>")
        return self.count("the number of tiers")

    def refuse(self, why: str) -> NoReturn:
        """Raise ``BadSource`` with the place of the token before."""
        raise BadSource(f"{self.where}: {why}: save it again in Praat")

    def _refuse(self, token: _Token, what: str, expected: str) -> NoReturn:
        if token.value is None:
            self.refuse(f"the file is cut short: {what} is missing")
        self.refuse(f"{what} should be {expected}, not {shown(token.value)}")

    def next(self) -> _Token:
        """Return the next token."""
        while match := _WORD.match(self._text, self._at):
            word, start = match[1], match.start(1)
            self._at = match.end()
            if word == "!":
                end = self._text.find("\n", start)
                self._at = len(self._text) if end < 0 else end
                continue
            if word == '"':
                return self._quoted(start)
            value = seconds(word)
            if value is not None or (word[0] == "<" and word[-1] == ">"):
                self._count_lines(start)
                return _Token(word if value is None else value, False, self._line)
        self._at = len(self._text)
        self._count_lines(self._at)
        return _Token(None, False, self._line)

    def _quoted(self, start: int) -> _Token:
        """Return the text that begins at a double quote; in it, two of them stand for one."""
        self._count_lines(start)
        end = self._text.find('"', start + 1)
        while end >= 0 and self._text.startswith('"', end + 1):
            end = self._text.find('"', end + 2)
        if end < 0:
            raise BadSource(f"{self.where}: a double quote that opens a text is never closed: save it again in Praat")
        self._at = end + 1
        return _Token(self._text[start + 1 : end].replace('""', '"'), True, self._line)

    def _count_lines(self, upto: int) -> None:
        self._line += self._text.count("\n", self._counted, upto)
        self._counted = upto
