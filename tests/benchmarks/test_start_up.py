"""The start of commands that train nothing: `make bench-training`."""

from __future__ import annotations

import pytest

from tests.benchmarks.test_scale import cost

pytestmark = pytest.mark.bench


@pytest.mark.parametrize("command", ["run table2", "sweep COGMEN-Mask", "run all"])
def test_a_dry_run_takes_less_than_a_second_of_the_processor(command, tmp_path):
    seconds, megabytes, lines = cost(*command.split(), "--profile", "smoke", "--dry-run", "--out", tmp_path / "results")
    assert lines > 1 and seconds < 1 and megabytes < 120
