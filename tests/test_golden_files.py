from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def run(folder: Path, *options: str) -> int:
    """Exit status of the small test suite in ``folder``."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, folder]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, check=False).returncode


@pytest.mark.slow
def test_a_golden_file_is_compared_and_written_only_on_request(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text("from tests.golden_files import golden, pytest_addoption\n")
    (tmp_path / "test_text.py").write_text("def test_text(golden):\n    golden('one\\ntwo\\n', 'text.txt')\n")
    assert run(tmp_path) == 1
    assert run(tmp_path, "--update-golden") == 0
    assert (tmp_path / "golden" / "text.txt").read_text() == "one\ntwo\n"
    assert run(tmp_path) == 0
    (tmp_path / "golden" / "text.txt").write_text("one\n")
    assert run(tmp_path) == 1
