from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from replicate.errors import CannotWrite
from replicate.features import resume
from replicate.features.source import Utterance


def test_saved_vectors_are_there_when_the_file_is_opened_again(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out.npz"
    with pytest.raises(KeyboardInterrupt), resume.open_vectors(out) as saved:
        assert saved.get("a") is None
        saved.put({"a": np.array([1, 2], np.float32), "b": np.array([3], np.float32)})
        saved.put({"b": np.array([4], np.float32)})
        raise KeyboardInterrupt
    assert resume.vectors_path(out) == tmp_path / "deep" / "out.npz.vectors"
    with resume.open_vectors(out) as saved:
        found = [saved.get(key) for key in "abc"]
    assert [None if vector is None else vector.tolist() for vector in found] == [[1, 2], [4], None]


def test_a_foreign_file_under_that_name_is_an_error(tmp_path: Path) -> None:
    out = tmp_path / "out.npz"
    resume.vectors_path(out).write_text("not a database, and long enough not to be taken for an empty one" * 20)
    with (
        pytest.raises(CannotWrite, match=r"out\.npz\.vectors cannot hold what was extracted"),
        resume.open_vectors(out) as saved,
    ):
        saved.get("a")


def test_the_key_depends_on_recording_segment_and_recipe(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"sound")
    one = Utterance("d", "u", "M", path)
    key = resume.key(one, {"set": "x"})
    assert key == resume.key(replace(one, dialogue="other", label="sad", split="train"), {"set": "x"})
    changed = [resume.key(one, {"set": "y"}), resume.key(replace(one, start=0.5), {"set": "x"})]
    changed.append(resume.key(replace(one, stop=0.5), {"set": "x"}))
    path.write_bytes(b"other sound")
    changed.append(resume.key(one, {"set": "x"}))
    assert len({key, *changed}) == 5
