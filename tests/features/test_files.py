from __future__ import annotations

from pathlib import Path

import pytest

from replicate.features.files import Recordings


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_linked_folders_are_searched_once(tmp_path: Path) -> None:
    root, disk = tmp_path / "recordings", tmp_path / "disk"
    touch(root / "a.wav", disk / "b.flac")
    (root / "audio").symlink_to(disk)
    (root / "copy").symlink_to(disk)
    (disk / "back").symlink_to(root)
    found = Recordings(root)
    assert found.find("b", "t, line 2") == root / "audio" / "b.flac"
    assert found.find("audio/b.flac", "t, line 2") == root / "audio" / "b.flac"
    assert sorted(found.without_line(())) == [root / "a.wav", root / "audio" / "b.flac"]


def test_hidden_files_and_folders_are_no_recordings(tmp_path: Path) -> None:
    touch(tmp_path / ".trash" / "u.wav", tmp_path / "._u.wav", tmp_path / "__MACOSX" / "._u.wav")
    assert list(Recordings(tmp_path).without_line(())) == []


@pytest.mark.parametrize(("listed", "stored"), [("Zo\u00eb", "Zoe\u0308.wav"), ("Zo\u00eb/u", "Zoe\u0308/u.wav")])
def test_names_of_macos_are_found(listed: str, stored: str, tmp_path: Path) -> None:
    touch(tmp_path / stored)
    assert Recordings(tmp_path).find(listed, "") == tmp_path / stored


def test_a_name_of_several_files_needs_its_folder(tmp_path: Path) -> None:
    touch(tmp_path / "u.wav", tmp_path / "a" / "u.wav", tmp_path / "b" / "v.wav", tmp_path / "b" / "v.flac")
    found = Recordings(tmp_path)
    assert "such as ./u" in str(found.find("u", "t, line 2")) or "such as a/u" in str(found.find("u", "t, line 2"))
    assert found.find("./u", "") == tmp_path / "u.wav"
    assert found.find("a/u", "") == tmp_path / "a" / "u.wav"
    assert "write the one that is meant with its folder, such as b/v.flac" in str(found.find("v", ""))
    assert list(found.without_line({"u", "v"})) == []


def test_two_files_whose_names_look_the_same(tmp_path: Path) -> None:
    touch(tmp_path / "Zoe\u0308.wav", tmp_path / "Zo\u00eb.wav")
    if len(list(tmp_path.iterdir())) < 2:
        pytest.skip("this file system takes both names for one")
    assert "two ways of Unicode (NFC and NFD): remove or rename" in str(Recordings(tmp_path).find("Zo\u00eb", ""))


def test_what_is_there_instead_is_named(tmp_path: Path) -> None:
    touch(tmp_path / "U1.wav", tmp_path / "U2.MP3", tmp_path / "u3.txt")
    found = Recordings(tmp_path)
    assert str(found.find("u1", "t, line 2")).endswith(": there is U1.wav, correct its name")
    assert str(found.find("u2", "t, line 2")).endswith(": there is U2.MP3, correct its name")
    # Lists of other data sets have the names of videos, and those of other systems capitals.
    assert str(found.find("x/u1.MP4", "t, line 2")).endswith(": there is U1.wav, correct its name")
    assert "no recording u1.0.wav or u1.0.flac below" in str(found.find("u1.0", ""))
    assert str(found.find("u3", "t, line 2")) == f"t, line 2: no recording u3.wav or u3.flac below {tmp_path}: add it"


def test_videos_and_other_recordings_are_used_where_there_is_no_sound_alone(tmp_path: Path) -> None:
    touch(tmp_path / "u1.wav", tmp_path / "u1.mp4", tmp_path / "x" / "u2.mp4", tmp_path / "u3.m4a", tmp_path / "u3.mp3")
    found = Recordings(tmp_path)
    assert found.find("u1", "") == tmp_path / "u1.wav" and found.find("u1.mp4", "") == tmp_path / "u1.mp4"
    assert found.find("u2", "") == tmp_path / "x" / "u2.mp4"
    assert "u3.m4a and u3.mp3" in str(found.find("u3", ""))
    assert list(found.without_line({"u2"})) == [tmp_path / "u1.wav"]
    (tmp_path / "u1.wav").unlink()
    assert list(Recordings(tmp_path).without_line({"u2", "u3"})) == [tmp_path / "u1.mp4"]
