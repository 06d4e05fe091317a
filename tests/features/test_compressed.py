"""The ends of Ogg and MP3 files, whole and cut anywhere."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

import tests.features  # noqa: F401  (skips where the extra is not installed)
from replicate.features import audio, compressed
from replicate.features.compressed import End
from tests.recordings import tone


def written(path: Path, rate: int = 16_000, **form: object) -> bytes:
    samples = np.stack([tone(3, rate), tone(3, rate, hertz=300)], 1)[:, : 1 if rate == 8_000 else 2]
    soundfile.write(path, samples, rate, **form)
    return path.read_bytes()


FORMS = [
    ({"format": "OGG", "subtype": "VORBIS"}, 44_100),
    ({"format": "OGG", "subtype": "OPUS"}, 48_000),
    ({"format": "MP3", "bitrate_mode": "CONSTANT"}, 16_000),
    ({"format": "MP3", "bitrate_mode": "VARIABLE"}, 44_100),
    ({"format": "MP3", "bitrate_mode": "AVERAGE"}, 8_000),
]


@pytest.mark.parametrize(("form", "rate"), FORMS)
def test_a_cut_at_any_byte_is_found(form: dict[str, str], rate: int, tmp_path: Path) -> None:
    path = tmp_path / "a"
    content = written(path, rate, **form)
    assert compressed.end(path)[::2] == ("", "") and audio.header(path)[1:4] == (pytest.approx(3, abs=0.1), None, "")
    for size in (len(content) - 1, *np.random.default_rng(0).integers(6_000, len(content), 20)):
        path.write_bytes(content[:size])
        found = compressed.end(path)
        assert found.problem or found.warning.startswith("has no mark of its end")
    path.write_bytes(content[: len(content) // 2 + 1])
    header = audio.header(path)
    assert header.seconds < 2.5 and "is cut short: it declares" in str(header.cut)


def test_tags_and_junk_around_the_frames_are_no_sound(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    content = written(path, format="MP3")
    title = b"ID3\3\0\0\0\0\x02\x00" + b"\xff\xfb" * 128
    for before, after in ((title, b""), (b"", b"TAG" + bytes(125)), (title + bytes(999), b"APETAGEX" + b"\xff" * 64)):
        path.write_bytes(before + content + after)
        assert compressed.end(path).problem == ""
        path.write_bytes(before + content[: len(content) // 3])
        found = compressed.end(path)
        assert found.problem.startswith(f"is cut short: it declares {len(content):,} bytes of sound, and it holds")
        assert found.seconds == pytest.approx(1, abs=0.1)


def test_without_declared_numbers_the_last_frame_tells_whether_the_end_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    content = written(path, format="MP3", bitrate_mode="CONSTANT")
    at = next(content.index(name) for name in (b"Info", b"Xing") if name in content)
    nothing = content[:at] + bytes(120) + content[at + 120 :]
    path.write_bytes(nothing)
    assert compressed.end(path).problem == ""
    path.write_bytes(nothing[:-7])
    assert compressed.end(path).problem.startswith("is cut short: it declares a frame of")


def test_a_declared_number_of_frames_is_enough(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    content = written(path, format="MP3")
    at = next(content.index(name) for name in (b"Info", b"Xing") if name in content)
    for flags, wrong in ((1, False), (0, False), (1, True)):  # frames alone, nothing, more frames
        changed = bytearray(content)
        changed[at + 7] = flags
        changed[at + 9] += wrong
        path.write_bytes(changed)
        assert bool(compressed.end(path).problem) == wrong


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_pages_that_are_missing_or_follow_are_found(subtype: str, tmp_path: Path) -> None:
    path = tmp_path / "a.ogg"
    content = written(path, 48_000, format="OGG", subtype=subtype)
    starts = [found.start() for found in re.finditer(b"OggS", content)]
    last = starts[-1]
    later = content[:last] + content[last : last + 6] + struct.pack("<q", 2**40) + content[last + 14 :]
    for changed, words in (
        (content[: starts[2]] + content[starts[3] :], "is damaged: page 2 is missing"),
        (content[: starts[3]] + b"0000" + content[starts[3] + 4 :], "is cut short: it declares a page behind"),
        (content + content, "is several recordings one after the other"),
        (later, "is damaged: its times jump to sample 1099511627776"),
        (content + b"TAG", ""),
    ):
        path.write_bytes(changed)
        found = compressed.end(path).problem
        assert found.startswith(words) and bool(found) == bool(words)


def test_an_mp3_that_declares_less_than_it_holds_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    content = bytearray(written(path, format="MP3"))
    at = next(content.index(name) for name in (b"Info", b"Xing") if name in content)
    content[at + 8 : at + 12] = struct.pack(">I", 40)
    path.write_bytes(content)
    assert re.search(r"a\.mp3 holds 3\.\d s, of which 1\.\d s would be read", str(audio.header(path).cut))


def test_other_files_tell_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a"
    for content in (
        b"",
        b"\xff",
        b"\xff\xfb" * 40_000,
        b"\xff" * 80_000,
        b"ID3",
        b"RIFF",
        b"\xff\xd8\xff\xe0" + bytes(99),
    ):
        path.write_bytes(content)
        assert compressed.end(path) == End()
    path.write_bytes(b"OggS" + bytes(9))
    assert compressed.end(path).problem
