"""EAF, the annotations of ELAN: XML with a tier for each speaker, in it annotations between time slots.

Format: "ELAN Annotation Format", version 3.0. The reader is expat with handlers of its own, for memory that does not
grow with what is not needed: pympi, which writes EAF here and checks this reader in the tests, builds the whole tree,
expands entities, and warns of versions that it does not know. No address in the file is followed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, NoReturn
from xml.parsers import expat

from replicate.errors import BadSource
from replicate.features.segments.base import Listed, Segment, content, names, require_room, speaker
from replicate.limits import shown

_XML = (b"<?xml", b"\xef\xbb\xbf<?xml", b"\xff\xfe", b"\xfe\xff")
_ROOT = "ANNOTATION_DOCUMENT"
# Milliseconds: 9 digits are 11 days.
_LONGEST_TIME = 9
# Elements within elements; the format has 5.
_DEEPEST = 20
# Characters of an identifier or a name, beyond which it is cut for messages and never compared.
_LONGEST_ID = 1_000


class _Tier(NamedTuple):
    """A tier: its name, whose it is, and the line where it begins."""

    id: str
    participant: str
    line: int


class _Annotation(NamedTuple):
    """An annotation between two time slots."""

    id: str
    first: str
    last: str
    tier: _Tier
    line: int


def read(path: Path) -> Listed:
    """Return the annotations with times, of all tiers that depend on no other tier; speakers are the participants.

    A tier without participant is a speaker of its name. Tiers that divide the annotations of another one, such as
    words of utterances, are left out with a note, and so are annotations without times.

    Raises:
        BadSource: it is not EAF, is cut short, declares a document type, or has no annotation with times. TooLarge: see
            ``content`` and ``require_room``.
    """
    document = _Document(path)
    document.parse(content(path, "an EAF file", _XML))
    notes = list(_notes(path, document))
    found, untimed = [], []
    for one in document.annotations:
        start, stop = document.slots.get(one.first, -1), document.slots.get(one.last, -1)
        where = f"{path}, line {one.line}, tier {shown(one.tier.id)}, annotation {shown(one.id)}"
        if start == -1 or stop == -1:
            missing = one.first if start == -1 else one.last
            raise BadSource(f"{where}: there is no time slot {shown(missing)}: save it again in ELAN")
        if start is None or stop is None:
            untimed.append(one.id)
            continue
        what = "the participant" if one.tier.participant else "the name of the tier"
        name = speaker(one.tier.participant or one.tier.id, where, what)
        found.append(Segment(start / 1000, stop / 1000, name, where))
    if untimed:
        count = f"{len(untimed)} annotation{'s' * (len(untimed) > 1)}"
        notes.append(f"{path}: {count} without times left out: {names(untimed)}")
    if not found:
        why = "".join(f"; {note.partition(': ')[2]}" for note in notes)
        raise BadSource(
            f"{path} has no annotation with times on a tier of its own{why}: check that it is the right one"
        )
    return Listed(tuple(found), tuple(notes))


def _notes(path: Path, document: _Document) -> Iterator[str]:
    """Yield what is left out, and what may be wrong."""
    if document.dependent:
        yield f"{path}: tiers that depend on others are left out: {names(list(document.dependent))}"
    owners: dict[str, list[str]] = {}
    for tier in dict.fromkeys(one.tier for one in document.annotations):
        owners.setdefault(tier.participant, []).append(tier.id)
    for participant, tiers in owners.items():
        if participant and len(tiers) > 1:
            yield f"{path}: tiers {names(tiers)} are all of the participant {shown(participant)}, and all are taken"
    if document.shifted:
        yield f"{path}: its media begin at another time than 0 (TIME_ORIGIN): check that the times fit the recording"


class _Document:
    """What is needed of a document, collected while it is parsed.

    Attributes:
        slots: milliseconds of each time slot, None where it has none.
        annotations: of tiers that depend on no other one.
        dependent: names of the others, in their order.
        shifted: whether media are declared to begin at another time than 0.
    """

    def __init__(self, path: Path) -> None:
        self.slots: dict[str, int | None] = {}
        self.annotations: list[_Annotation] = []
        self.dependent: dict[str, None] = {}
        self.shifted = False
        self._path = path
        self._depth = 0
        self._tier: _Tier | None = None
        self._parser = expat.ParserCreate()
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        # Without a document type there are no entities: none that repeats itself, and none of another file.
        self._parser.StartDoctypeDeclHandler = self._doctype

    def parse(self, found: bytes) -> None:
        """Parse a document.

        Raises:
            BadSource: it is not well-formed, or not EAF.
        """
        try:
            self._parser.Parse(found, True)
        except expat.ExpatError as error:
            raise BadSource(
                f"{self._path}, line {error.lineno}: {expat.ErrorString(error.code)}: save it again in ELAN"
            ) from error
        except (LookupError, ValueError) as error:  # of the declared encoding
            self._refuse(f"its encoding cannot be read ({shown(str(error))})")

    def _refuse(self, why: str, remedy: str = "save it again in ELAN") -> NoReturn:
        raise BadSource(f"{self._path}, line {self._parser.CurrentLineNumber}: {why}: {remedy}")

    def _doctype(self, *declaration: object) -> NoReturn:
        self._refuse("it declares a document type, which EAF has not, and which is not read", "remove the declaration")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth == 1 and name != _ROOT:
            self._refuse(f"it begins with {shown(name)}, not with {_ROOT}", "check that it is an EAF file")
        if self._depth > _DEEPEST:
            self._refuse(f"elements are nested more than {_DEEPEST} deep")
        if name == "TIME_SLOT":
            self._add_slot(attributes)
        elif name == "TIER":
            self._tier = _Tier(self._id(attributes, "TIER_ID"), attributes.get("PARTICIPANT", "").strip(), self._line)
            if attributes.get("PARENT_REF"):
                self.dependent[self._tier.id] = None
        elif name == "ALIGNABLE_ANNOTATION":
            self._add_annotation(attributes)
        elif name == "HEADER" and attributes.get("TIME_UNITS", "milliseconds") != "milliseconds":
            self._refuse(f"times are in {shown(attributes['TIME_UNITS'])}, not in milliseconds")
        elif name == "MEDIA_DESCRIPTOR" and attributes.get("TIME_ORIGIN", "0").strip() not in ("", "0"):
            self.shifted = True

    def _end(self, name: str) -> None:
        self._depth -= 1
        if name == "TIER":
            self._tier = None

    @property
    def _line(self) -> int:
        return self._parser.CurrentLineNumber

    def _id(self, attributes: dict[str, str], key: str) -> str:
        found = attributes.get(key, "")
        if not found or len(found) > _LONGEST_ID:
            self._refuse(f"{key} {'is too long' if found else 'is missing'}")
        return found

    def _add_slot(self, attributes: dict[str, str]) -> None:
        key, value = self._id(attributes, "TIME_SLOT_ID"), attributes.get("TIME_VALUE")
        if value is not None and not (value.isascii() and value.isdecimal() and len(value) <= _LONGEST_TIME):
            self._refuse(f"time slot {shown(key)} has {shown(value)} as its time, not milliseconds")
        if key in self.slots:
            self._refuse(f"there are two time slots {shown(key)}")
        self.slots[key] = None if value is None else int(value)

    def _add_annotation(self, attributes: dict[str, str]) -> None:
        if self._tier is None:
            self._refuse("an annotation is on no tier")
        if self._tier.id in self.dependent:
            return
        keys = ("ANNOTATION_ID", "TIME_SLOT_REF1", "TIME_SLOT_REF2")
        id_, first, last = (self._id(attributes, key) for key in keys)
        self.annotations.append(_Annotation(id_, first, last, self._tier, self._line))
        require_room(len(self.annotations), self._path)
