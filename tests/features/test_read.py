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
        ("nothing", None, "no folder and no recording"),
    ],
)
def test_paths_that_are_not_a_source_are_refused(
    path: str, segments: str | None, words: str, folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(BadSource, match=words):
        read(tmp_path / path, segments=tmp_path / segments if segments else None)
