"""Times at inference are measured by a command of its own, and are in the tables afterwards."""

import json

TABLE = """
title = "Mine"
source = "nowhere"
in_paper = false
contexts = ["A"]
resources = true
rows = [{ name = "COGMEN-A", arm = "COGMEN-A" }, { name = "masked", arm = "COGMEN-A-masked" }]
"""


def test_times_are_measured_once_and_stay_in_the_tables(replicate, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "mine.toml").write_text(TABLE)
    out, mine = tmp_path / "out", ("--config-dir", tmp_path / "mine")
    assert (
        replicate("run", "mine", "--profile", "smoke", "--seeds", "1", "--jobs", "1", "--out", out, *mine).status == 0
    )
    folder = out / "synthetic-tiny" / "smoke-paper"
    before = (folder / "mine.md").read_text()
    assert "were not measured" in before and "| COGMEN-A | 549,872 | " in before
    done = replicate("bench-inference", "--results", folder, "--calls", "10", *mine)
    assert done.status == 0 and "measured 1 models in inference.json;" in done.stderr
    assert "ms per utterance" in done.stdout
    after = (folder / "mine.md").read_text()
    assert "median of 10 calls on one thread" in after
    times = {line.split("|")[4].strip() for line in after.splitlines() if "549,872" in line}
    assert len(times) == 1 and float(times.pop()) > 0
    assert len(json.loads((folder / "inference.json").read_text())["timings"]) == 1
    assert replicate("report", "--results", folder, *mine).status == 0
    assert (folder / "mine.md").read_text() == after


def test_results_without_such_a_table_are_named(replicate, smoke_results):
    done = replicate("bench-inference", "--results", smoke_results)
    assert done.status == 1 and "error (nothing to measure): no table of these results shows resources" in done.stderr
