from __future__ import annotations

import struct
from pathlib import Path

import pytest

import tests.features  # noqa: F401  (skips where the extra is not installed)
from replicate.errors import BadAudio
from replicate.features import audio
from tests.recordings import tone, write_wav

WAV = b"RIFF\x24\x00\x00\x00WAVEfmt \x10\x00\x00\x00"


def wav(number: int) -> bytes:
    return WAV + struct.pack("<HHIIHHI", number, 1, 16_000, 4_000, 1, 0, 0) + b"data\x04\0\0\0\1\2\3\4"


FILES = {
    "pointer of Git LFS, .* git lfs pull$": b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 7\n",
    "pointer of git-annex, .* git annex get$": b"/annex/objects/MD5E-s7--ab.wav\n",
    "is a web page": b"\n<!DOCTYPE html><title>Log in</title>",
    "is an archive: unpack it": b"PK\x03\x04\x14\0\0\0",
    "is MP4 or M4A, which ffmpeg decodes: install it, or convert": b"\0\0\0\x20ftypM4A \0\0",
    "is Matroska or WebM": b"\x1aE\xdf\xa3\1\2",
    "begins with zeros alone": bytes(40_000),
    "a WAV file whose sound is MP3 .number 0x0055.": wav(0x55),
    "a WAV file whose sound is an unknown kind .number 0x1234.": wav(0x1234),
    "a WAV file that ends before its sound begins: fetch it again": WAV + b"\1\0\1\0",
    "since it is text": b"dialogue,utterance\n",
    "cannot be read as audio .*: fetch it again, or convert it": bytes(range(1, 255)),
}


@pytest.mark.parametrize("words", FILES)
def test_what_a_file_is_and_what_to_do_is_named(words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    path = tmp_path / "u.wav"
    path.write_bytes(FILES[words])
    for read in (audio.header, audio.load):
        with pytest.raises(BadAudio, match=words) as caught:
            read(path)
        assert str(caught.value).startswith(f"{path} ")


def test_a_recording_without_sound_is_told_from_one_that_lost_it(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "u.wav", tone(0.1))
    path.write_bytes(path.read_bytes()[:44])
    with pytest.raises(BadAudio, match="ends where its sound should begin: fetch it again"):
        audio.header(path)
    path.write_bytes(path.read_bytes().replace(b"data\x80\x0c\0\0", b"data\0\0\0\0"))
    with pytest.raises(BadAudio, match="holds no samples: record it again"):
        audio.header(path)
