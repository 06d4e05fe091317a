"""origin.json is that of the folder whose scores were copied, and names no folder of a machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs import origins
from replicate.expected.conditions import conditions
from tests.expected.conftest import result, write


def copied(tmp_path: Path) -> tuple[Path, Path]:
    """A results folder, and a folder with a copy of its scores."""
    source = write(tmp_path / "source", result(), git_commit="a" * 40)
    target = tmp_path / "target"
    target.mkdir()
    (target / "scores.csv").write_bytes((source / "scores.csv").read_bytes())
    return source, target


def test_it_is_the_manifest_without_folders(tmp_path):
    source, target = copied(tmp_path)
    path = origins.save(source, target)
    assert conditions(target) == conditions(source)
    assert "a & b" not in path.read_text(encoding="utf-8")  # the path of the corpus in the manifest


def test_scores_of_another_folder_are_refused(tmp_path):
    source, target = copied(tmp_path)
    (target / "scores.csv").write_text("table,row\nmade,other\n", encoding="utf-8")
    with pytest.raises(ValueError, match="is not a copy of"):
        origins.save(source, target)
