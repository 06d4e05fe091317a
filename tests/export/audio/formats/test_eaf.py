from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from hypothesis import given
from pympi import Eaf

from export.audio.formats.eaf import to_eaf
from export.audio.timeline import Timeline
from replicate.features.segments import eaf
from tests.export.audio.formats.test_textgrid import TWO
from tests.export.audio.timelines import expected, read_back, timelines


@given(timelines())
def test_a_timeline_is_read_back(timeline: Timeline) -> None:
    found = read_back(to_eaf(timeline), "eaf", eaf.read)
    assert sorted(one[:3] for one in found.segments) == expected(timeline) and found.notes == ()


def test_pympi_reads_the_same(tmp_path: Path) -> None:
    (tmp_path / "a.eaf").write_text(to_eaf(TWO), encoding="utf-8")
    document = Eaf(tmp_path / "a.eaf")
    assert {name: document.get_parameters_for_tier(name)["PARTICIPANT"] for name in document.get_tier_names()} == {
        'F "Z" é漢': 'F "Z" é漢',
        "M": "M",
        "M_2": "M",
    }
    assert document.get_annotation_data_for_tier("M") == [(1250, 3062, '"very" excited 0.88')]
    (media,) = document.media_descriptors
    assert (media["MEDIA_URL"], media["RELATIVE_MEDIA_URL"]) == ("a.wav", "./a.wav")


def test_segments_of_one_speaker_that_overlap_are_of_one_participant() -> None:
    found = read_back(to_eaf(TWO), "eaf", eaf.read)
    assert [one[:3] for one in found.segments][1:] == [(1.25, 3.062, "M"), (3, 4, "M")]


def test_time_slots_are_in_order() -> None:
    slots = ElementTree.fromstring(to_eaf(TWO)).findall("TIME_ORDER/TIME_SLOT")
    times = [int(slot.attrib["TIME_VALUE"]) for slot in slots]
    assert times == sorted(times) == [0, 1250, 1500, 3000, 3062, 4000]
    assert [slot.attrib["TIME_SLOT_ID"] for slot in slots] == [f"ts{number}" for number in range(1, 7)]


def test_without_one_file_nothing_is_linked() -> None:
    root = ElementTree.fromstring(to_eaf(Timeline(TWO.labels, TWO.segments)))
    assert root.findall("HEADER/MEDIA_DESCRIPTOR") == [] and len(root.findall("TIER")) == 3
