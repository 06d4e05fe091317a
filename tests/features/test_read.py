from pathlib import Path

import pytest

from replicate.errors import BadSource
from replicate.features.read import read


def test_the_kind_of_a_source_is_recognised(folder: Path, release: Path, tmp_path: Path) -> None:
    segments = tmp_path / "s.csv"
    segments.write_text("start,end,speaker\n0,0.1,F\n")
    assert len(read(folder).utterances) == 5
    assert read(release, classes=6, allow_other_counts=True).name == "iemocap6"
    assert [one.at for one in read(folder / "d1" / "u1.wav", segments=segments).utterances] == [0.0]


@pytest.mark.parametrize(
    ("path", "segments", "words"),
    [
        ("folder", "s.csv", "is a folder"),
        ("folder/d1/u1.wav", None, "give a list of its segments"),
        (
            "s.csv",
            None,
            r"s\.csv is a list, not a recording: give .* --table .*s\.csv, or one recording and --segments",
        ),
        ("nothing", None, "no folder and no recording"),
    ],
)
def test_paths_that_are_not_a_source_are_refused(
    path: str, segments: str | None, words: str, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "s.csv").touch()
    with pytest.raises(BadSource, match=words):
        read(tmp_path / path, segments=tmp_path / segments if segments else None)


def test_parts_of_the_release_and_the_folder_above_are_named(release: Path, tmp_path: Path) -> None:
    for part in (release / "Session1", release / "Session2" / "dialog", release / "Session3" / "sentences" / "wav"):
        with pytest.raises(BadSource, match=f"one part of the IEMOCAP release: give the whole release, {release}$"):
            read(part)
    with pytest.raises(BadSource, match=f"is the folder above the IEMOCAP release: give {release}$"):
        read(release.parent)
    alone = (release / "Session4").rename(tmp_path / "fourth")
    with pytest.raises(BadSource, match="is one session of the IEMOCAP release: give the folder that contains"):
        read(alone)
    (release / "Session1" / "table.csv").write_text("dialogue,utterance,speaker\nd,Ses01F_impro00_F000,F\n")
    assert [one.name for one in read(release / "Session1").utterances] == ["Ses01F_impro00_F000"]
    (tmp_path / "two" / "levels").mkdir(parents=True)
    moved = release.rename(tmp_path / "two" / "levels" / "up")
    with pytest.raises(BadSource, match=f"is the folder above the IEMOCAP release: give {moved}$"):
        read(tmp_path / "two")
