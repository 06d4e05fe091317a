"""Files of measurements: absent, whole, damaged, and of another version."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from replicate.errors import NewerFormat, NotThisFormat
from replicate.results import measured_files


@dataclass(frozen=True)
class Found:
    format: int
    milliseconds: float


def test_what_is_saved_is_found(tmp_path: Path):
    path = tmp_path / "found.json"
    assert measured_files.find(path, Found, 1) is None
    measured_files.save(path, Found(1, 0.5))
    assert measured_files.find(path, Found, 1) == Found(1, 0.5)


@pytest.mark.parametrize("content", ["", "{", '{"format": 1}', '{"format": 1, "milliseconds": "long"}'])
def test_a_damaged_file_is_named(tmp_path: Path, content: str):
    (tmp_path / "found.json").write_text(content)
    with pytest.raises(NotThisFormat, match=r"found\.json is damaged"):
        measured_files.find(tmp_path / "found.json", Found, 1)


def test_a_file_of_a_later_version_is_refused(tmp_path: Path):
    measured_files.save(tmp_path / "found.json", Found(2, 0.5))
    with pytest.raises(NewerFormat):
        measured_files.find(tmp_path / "found.json", Found, 1)
