"""The claims of a results folder as numbers, from ``claims.json``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from replicate.errors import NotThisFormat
from replicate.expected.model import ExpectedClaim
from replicate.records import convert, read_json
from replicate.report.saved_claims import SavedStatement


@dataclass(frozen=True)
class Measured:
    """What was measured for a statement, and of which class."""

    value: float
    ci95: tuple[float, float] | None
    n: int
    emotion: str = ""


@dataclass(frozen=True)
class Sides:
    """The cells that a statement compares; a cell may be reduced by another one before."""

    first: str
    second: str
    relation: str
    first_minus: str = ""
    second_minus: str = ""


@dataclass(frozen=True)
class SavedNumbers:
    """The numbers of a statement."""

    statement: Sides
    measured: Measured | None
    p: float | None
    words: SavedStatement
    published: float | None = None

    @property
    def numbers(self) -> tuple[float | None, ...]:
        """Measured value, both ends of its interval, p and the published difference."""
        low, high = (self.measured and self.measured.ci95) or (None, None)
        return (self.measured.value if self.measured else None, low, high, self.p, self.published)


@dataclass(frozen=True)
class SavedClaim:
    """A claim in ``claims.json``."""

    number: int
    text: str
    outcome: str | None
    statements: tuple[SavedNumbers, ...]


@dataclass(frozen=True)
class Corpus:
    """The corpus of the claims."""

    hash: str


@dataclass(frozen=True)
class Origin:
    """On what the claims were judged."""

    corpus: Corpus
    seeds: tuple[int, ...]


@dataclass(frozen=True)
class _Saved(Origin):
    claims: tuple[SavedClaim, ...]


def saved_claims(folder: Path) -> tuple[SavedClaim, ...]:
    """Return the claims in a folder's ``claims.json``.

    Raises:
        NotThisFormat: it is missing or malformed.
    """
    return _read(folder).claims


def saved_origin(folder: Path) -> Origin:
    """Return on what the claims in a folder's ``claims.json`` were judged. Raises: NotThisFormat, as above."""
    return _read(folder)


def _read(folder: Path) -> _Saved:
    path = folder / "claims.json"
    try:
        return convert(read_json(path), _Saved)
    except (OSError, ValueError) as error:
        raise NotThisFormat(f"cannot read {path} ({error}): write it again with `replicate report`") from error


def claims_of(folder: Path) -> tuple[ExpectedClaim, ...]:
    """Return the claims that a folder like this one should hold."""
    found = []
    for each in saved_claims(folder):
        words = {one.words.outcome for one in each.statements}
        numbers, is_open = tuple(one.numbers for one in each.statements), "open" in words and "fails" not in words
        found.append(ExpectedClaim(each.number, each.text, each.outcome, numbers, is_open))
    return tuple(found)
