"""Shares of the task list, for job arrays."""

import shutil

import pytest


@pytest.mark.slow
def test_all_shares_of_the_task_list_make_the_table(replicate, smoke_out, tmp_path):
    out = ["--profile", "smoke", "--out", str(tmp_path), "--jobs", "1", "--seeds", "24,"]
    trained = []
    for part in ("1/2", "2/2"):
        done = replicate("run", "table2", *out, "--task", part)
        assert done.status == 0, done.stderr
        trained.append(len(list((tmp_path / "runs").glob("[!.]*/run.json"))))
        assert f"Share {part} is complete; once all shares are: replicate run table2" in done.stderr
        assert not list(tmp_path.glob("*/*/table2.md"))
    assert 0 < trained[0] < trained[1] == 6
    assert "6 runs, 6 completed, 0 to train" in replicate("run", "table2", *out).stderr


def test_a_share_counts_its_own_runs(replicate, tmp_path):
    how = ["run", "table2", "--profile", "smoke", "--out", tmp_path, "--dry-run", "--jobs", "1"]
    first = [replicate(*how, "--task", f"{part}/2") for part in (1, 2)]
    sizes = [len(done.stdout.splitlines()) for done in first]
    assert sum(sizes) == 12 and all(sizes)
    for size, done in zip(sizes, first, strict=True):
        assert f": {size} runs, 0 completed, {size} to train" in done.stderr
    empty = replicate(*how, "--task", "16/16")
    assert ": 0 runs, 0 completed, 0 to train" in empty.stderr and empty.stdout == ""


def test_a_share_leaves_damaged_runs_of_others_to_them(replicate, smoke_out, tmp_path):
    out = tmp_path / "results"
    shutil.copytree(smoke_out, out)
    for path in (out / "runs").glob("[!.]*/run.json"):
        path.write_text("{}")
    how = ["run", "table2", "--profile", "smoke", "--out", out, "--dry-run", "--task", "16/16"]
    assert replicate(*how).status == 0 and replicate(*how, "--repair").status == 0


@pytest.mark.parametrize("part", ["0/2", "3/2", "1", "a/b", "-1/2"])
def test_a_malformed_share_is_an_error(replicate, tmp_path, part):
    done = replicate("run", "table2", "--profile", "smoke", "--out", str(tmp_path), f"--task={part}")
    assert done.status == 1 and "error (bad share)" in done.stderr and "K/N" in done.stderr
