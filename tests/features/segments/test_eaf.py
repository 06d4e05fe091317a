from __future__ import annotations

import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pympi import Eaf

from replicate.errors import BadSource, TooLarge
from replicate.features.segments import base, eaf
from tests.features.segments import documents
from tests.features.segments.documents import tier


def write(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "talk.eaf"
    path.write_bytes(text.replace("UTF-8", encoding.upper(), 1).encode(encoding))
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1"])
def test_participants_and_tiers_without_one_are_speakers(encoding: str, tmp_path: Path) -> None:
    path = write(tmp_path, documents.eaf(), encoding)
    found = eaf.read(path)
    assert [one[:3] for one in found.segments] == [(1.5, 2.0, 'Zoë "Z" Q'), (0.0, 1.75, "B")]
    assert found.segments[1].where == f"{path}, line 9, tier 'B', annotation 'a2'"
    assert found.notes == (f"{path}: 1 annotation without times left out: 'a3'",)


def test_tiers_of_other_tiers_are_left_out(tmp_path: Path) -> None:
    words = tier("words", (("a2", 1, 2),), 'PARENT_REF="Z" PARTICIPANT="Z"')
    glosses = tier("glosses", (), 'PARENT_REF="words"')
    found = eaf.read(write(tmp_path, documents.eaf(tier("Z", more="") + words + glosses)))
    assert [one.speaker for one in found.segments] == ["Z"]
    assert found.notes[0].endswith("tiers that depend on others are left out: 'words', 'glosses'")


def test_what_may_be_wrong_is_noted(tmp_path: Path) -> None:
    text = documents.eaf(tier("speech") + tier("hands")).replace("MIME_TYPE", 'TIME_ORIGIN="1200" MIME_TYPE')
    notes = eaf.read(write(tmp_path, text)).notes
    assert """tiers 'speech', 'hands' are all of the participant 'Zoë "Z" Q'""" in notes[0]
    assert "TIME_ORIGIN" in notes[1]


BILLION = "<!DOCTYPE a [<!ENTITY a 'ha'>{}]>".format(
    "".join(f"<!ENTITY {b} '{f'&{a};' * 10}'>" for a, b in zip("abcdefghi", "bcdefghij", strict=True))
)
EXTERNAL = '<!DOCTYPE a SYSTEM "file:///etc/passwd" [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
BAD = {
    "": "FILE is empty",
    "<html></html>": "is a web page",
    '<?xml version="1.0"?><html></html>': "line 1: it begins with 'html', not with ANNOTATION_DOCUMENT",
    documents.eaf(head=BILLION): "line 2: it declares a document type",
    documents.eaf(head=EXTERNAL): "line 2: it declares a document type",
    documents.eaf()[:500]: "unclosed token|no element found",
    documents.eaf(tier("&j;")): "line 5: undefined entity",
    documents.eaf(tier("A", (("a1", 1, 9),))): "line 6, tier 'A', annotation 'a1': there is no time slot 'ts9'",
    documents.eaf(tier("A", (), "")): "has no annotation with times",
    documents.eaf(tier("A", (("a1", 5, 6),))): "has no annotation .*; 1 annotation without times left out: 'a1'",
    documents.eaf(tier("A", more='PARENT_REF="B"')): "; tiers that depend on others are left out: 'A'",
    documents.eaf(tier("", more="")): "line 5: TIER_ID is missing",
    documents.eaf(tier(" ", more="")): "the name of the tier is empty",
    documents.eaf(tier("A", more='PARTICIPANT="&#x202e;x"')): "annotation 'a1': the participant .* unprintable",
    documents.eaf(header='TIME_UNITS="PAL-frames"'): "times are in 'PAL-frames'",
    documents.eaf().replace('"1500"', '"1.5"'): "time slot 'ts1' has '1.5' as its time",
    documents.eaf().replace('"1500"', f'"{"9" * 5000}"'): "time slot 'ts1' has '99",
    documents.eaf().replace('"ts2"', '"ts1"', 1): "two time slots 'ts1'",
    documents.eaf("<a>" * 30 + "</a>" * 30): "nested more than 20 deep",
    documents.eaf(tier("A").replace("TIER ", "TIRE ").replace("/TIER", "/TIRE")): "an annotation is on no tier",
    documents.eaf().replace("UTF-8", "klingon"): "unknown encoding|encoding cannot be read",
}


@pytest.mark.parametrize("text", BAD)
def test_a_wrong_file_is_one_line_with_its_place(text: str, tmp_path: Path) -> None:
    path = tmp_path / "talk.eaf"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadSource) as error:
        eaf.read(path)
    message = str(error.value).replace(str(path), "FILE")
    assert re.search(BAD[text], message), message
    assert "\n" not in message and message.isprintable() and "root:" not in message


def test_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "MOST", 1)
    with pytest.raises(TooLarge, match="more than 1 segments"):
        eaf.read(write(tmp_path, documents.eaf()))


names = st.text(st.characters(exclude_categories=("Cs", "Cc", "Cn")), min_size=1, max_size=12)
spans = st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 10**4)), min_size=1, max_size=4)


@given(st.lists(st.tuples(names, names, spans), min_size=1, max_size=3))
def test_pympi_writes_what_is_read(tiers: list[tuple[str, str, list[tuple[int, int]]]]) -> None:
    document, expected, good = Eaf(author=""), [], True
    document.remove_tier("default")
    for number, (name, participant, own) in enumerate(tiers):
        document.add_tier(f"{name} {number}", part=participant)
        speaker = base.nfc((participant.strip() or f"{name} {number}").strip())
        good &= speaker.isprintable()
        for start, length in own:
            document.add_annotation(f"{name} {number}", start, start + length, "x")
            expected.append((start / 1000, (start + length) / 1000, speaker))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.eaf"
        document.to_file(path)
        if good:
            assert [one[:3] for one in eaf.read(path).segments] == expected
        else:
            with pytest.raises(BadSource, match="unprintable"):
                eaf.read(path)
