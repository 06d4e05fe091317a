from __future__ import annotations

import shutil
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tests.features  # noqa: F401  (skips where the extra is not installed)
from replicate.errors import BadAudio, DiskFull
from replicate.features import audio, transcode
from tests.recordings import tone, write_wav

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
KINDS = {
    "a.m4a": ("mov", ["-c:a", "aac"]),
    "a.mkv": ("matroska", ["-c:a", "flac"]),
    "a.wma": ("asf", ["-c:a", "wmav2"]),
    "a.aac": ("aac", ["-c:a", "aac"]),
    "a.avi": ("avi", ["-c:a", "pcm_s16le"]),
    "a.flv": ("flv", ["-c:a", "aac"]),
    "g726.wav": ("wav", ["-c:a", "g726", "-ar", "8000", "-ac", "1"]),
}


def encode(source: Path, path: Path, *options: str) -> Path:
    command = ["ffmpeg", "-nostdin", "-loglevel", "error", "-i", str(source), *options, str(path)]
    subprocess.run(command, check=True)
    return path


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two channels of two tones."""
    samples = np.stack([tone(2), tone(2, hertz=300)], 1)
    return write_wav(tmp_path_factory.mktemp("sound") / "sound.wav", samples)


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that is recognised as M4A, and in place of ffmpeg a program whose text the test writes."""
    fake = tmp_path / "bin" / "ffmpeg"
    fake.parent.mkdir()
    monkeypatch.setenv("PATH", str(fake.parent))
    (tmp_path / "a.m4a").write_bytes(b"\0\0\0\x20ftypM4A \0\0")
    return fake


def install(fake: Path, text: str) -> None:
    fake.write_text(f"#!{sys.executable}\nimport sys\n{text}\n")
    fake.chmod(fake.stat().st_mode | stat.S_IXUSR)


@needs_ffmpeg
@pytest.mark.parametrize("name", KINDS)
def test_what_ffmpeg_decodes_is_read(name: str, sound: Path, tmp_path: Path) -> None:
    kind, options = KINDS[name]
    path = encode(sound, tmp_path / name, *options)
    assert transcode.demuxer(path.read_bytes()[:4096]) == kind
    header = audio.header(path)
    assert header.seconds == pytest.approx(2, abs=0.2) and header.cut is None
    if name != "g726.wav":
        assert header.channels == 2
        one, other = (np.abs(np.fft.rfft(audio.decode(path, 0.5, 1.5, channel).samples)) for channel in (0, 1))
        assert (np.argmax(one), np.argmax(other)) == (220, 300)
    (copy,) = [copy for key, copy in transcode._decoded.items() if key[0] == str(path.resolve())]
    assert audio.header(path) == header and copy.is_file()


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3"])
def test_what_libsndfile_reads_needs_no_ffmpeg(name: str, tmp_path: Path) -> None:
    path = write_wav(tmp_path / name, tone(0.5))
    assert transcode.demuxer(path.read_bytes()[:4096]) is None
    with transcode.readable(path) as source:
        assert source is path


@needs_ffmpeg
def test_names_are_neither_options_nor_addresses(sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    content = encode(sound, tmp_path / "a.m4a").read_bytes()
    for name in ("-i.m4a", "http:a.m4a", "%d.m4a", "concat:a|b.m4a", "a'b \n.m4a"):
        Path(name).write_bytes(content)
        assert audio.header(Path(name)).seconds == pytest.approx(2, abs=0.1)


@needs_ffmpeg
def test_files_that_lack_their_end_or_sound_are_refused(sound: Path, tmp_path: Path) -> None:
    whole = encode(sound, tmp_path / "a.m4a", "-movflags", "+faststart").read_bytes()
    path = tmp_path / "cut.m4a"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadAudio, match=r"cut\.m4a is damaged or cut short, by ffmpeg \(.*\): fetch it again"):
        audio.header(path)
    path.write_bytes(whole[:100])
    with pytest.raises(BadAudio, match=r"cut\.m4a holds no sound"):
        audio.header(path)
    silent = encode(write_wav(tmp_path / "silent.wav", 0 * tone(1)), tmp_path / "silent.m4a")
    with pytest.raises(BadAudio, match=rf"^{silent} is silent"):
        audio.load(silent)


@needs_ffmpeg
def test_a_playlist_under_another_name_opens_nothing(tmp_path: Path) -> None:
    secret = write_wav(tmp_path / "secret.wav", tone(1))
    path = tmp_path / "a.m4a"
    for text in (f"#EXTM3U\n#EXTINF:1,\nfile:{secret}\n", f"ffconcat version 1.0\nfile '{secret}'\n"):
        for head in (b"", b"\0\0\0\x20ftypM4A \0\0\n"):
            path.write_bytes(head + text.encode())
            with pytest.raises(BadAudio):
                audio.header(path)


def test_a_missing_ffmpeg_is_named(program: Path, tmp_path: Path) -> None:
    with pytest.raises(BadAudio, match=r"a\.m4a is MP4 or M4A, which ffmpeg decodes: install it, or convert the file"):
        audio.header(tmp_path / "a.m4a")


def test_ffmpeg_is_bounded(program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.m4a"
    install(program, "import time; time.sleep(60)")
    monkeypatch.setattr(transcode, "SECONDS", 0.5)
    with pytest.raises(BadAudio, match="took ffmpeg more than"):
        audio.header(path)
    install(program, "open(sys.argv[-1].removeprefix('file:'), 'wb').write(bytes(3 * 2**20))")
    monkeypatch.setattr(transcode, "SECONDS", 20)
    monkeypatch.setattr(transcode, "LARGEST", 4 * 2**20)
    with pytest.raises(BadAudio, match=r"decodes to more than 4 MiB: cut it"):
        audio.header(path)
    install(program, "sys.exit('file:x: No space left on device')")
    with pytest.raises(DiskFull, match="no room to decode"):
        audio.header(path)
    install(program, "sys.exit(1)")
    with pytest.raises(BadAudio, match=r"by ffmpeg \(no reason given\)"):
        audio.header(path)
    program.write_text("")
    program.chmod(0o755)
    with pytest.raises(BadAudio, match="ffmpeg cannot be started"):
        audio.header(path)


def test_old_copies_are_deleted(program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wav = write_wav(tmp_path / "sound.wav", tone(0.5))
    install(program, f"import shutil; shutil.copy({str(wav)!r}, sys.argv[-1].removeprefix('file:'))")
    monkeypatch.setattr(transcode, "_decoded", {})
    monkeypatch.setattr(transcode, "LARGEST", 10 * 2**20)
    monkeypatch.setattr(transcode, "KEPT", 10 * 2**20 + 2 * wav.stat().st_size)
    paths = [tmp_path / f"{i}.m4a" for i in range(5)]
    for path in paths:
        path.write_bytes((tmp_path / "a.m4a").read_bytes())
        assert audio.header(path).seconds == 0.5
    assert [Path(key[0]).name for key in transcode._decoded] == ["2.m4a", "3.m4a", "4.m4a"]
    assert all(copy.is_file() for copy in transcode._decoded.values())
