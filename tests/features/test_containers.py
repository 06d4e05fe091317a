from __future__ import annotations

import struct
from pathlib import Path

import pytest

import tests.features  # noqa: F401  (skips where the extra is not installed)
from replicate.features import containers
from tests.recordings import tone, write_wav


@pytest.mark.parametrize("name", ["a.wav", "a.w64", "a.caf", "a.aiff", "a.au"])
def test_the_sound_is_where_the_samples_are(name: str, tmp_path: Path) -> None:
    path = write_wav(tmp_path / name, tone(0.1))
    found = containers.sound(path)
    assert found is not None and found.declared is not None
    head = {"a.aiff": 8, "a.caf": 4}.get(name, 0)  # numbers before the samples, in the same chunk
    assert (found.declared - head, found.missing, found.unclaimed) == (3_200, 0, 0)
    first = struct.unpack("<h" if name in ("a.wav", "a.w64") else ">h", path.read_bytes()[found.offset + head :][:2])
    assert first[0] == pytest.approx(tone(0.1)[0] * 2**15, abs=1)


@pytest.mark.parametrize("size", [2**62, 2**63 - 2, 2**64 - 2**17])
@pytest.mark.parametrize(("name", "form"), [("a.w64", "<Q"), ("a.caf", ">Q")])
def test_sizes_of_64_bits_are_no_offsets(name: str, form: str, size: int, tmp_path: Path) -> None:
    path = write_wav(tmp_path / name, tone(0.1))
    content = bytearray(path.read_bytes())
    before = containers.sound(path)
    assert before is not None
    struct.pack_into(form, content, before.size_at, size)
    path.write_bytes(content)
    found = containers.sound(path)
    assert found is not None and (found.declared is None or found.missing > 2**61)


def test_files_of_many_chunks_and_of_none_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"RIFF\0\0\0\0WAVE" + b"JUNK\0\0\0\0" * 5_000)
    assert containers.sound(path) is None
    path.write_bytes(b"fLaC" + bytes(100))
    assert containers.sound(path) is None
