"""The commands of the page on protocols run, with one seed of the smoke profile."""

import pytest

from .conftest import QUICKLY, lines


@pytest.mark.slow
def test_the_commands_run(replicate, tmp_path):
    found = lines("protocol-and-parity.md")
    assert len(found) == 2
    for _, *words in found:
        done = replicate(*words, "--profile", *QUICKLY.split(), "--jobs", "1", "--out", tmp_path)
        assert done.status == 0, (words, done.stderr)
