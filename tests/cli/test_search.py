import json
from dataclasses import replace

import pytest

from replicate.corpus.archive import write
from replicate.store.store import Store
from tests.small_runs import small_corpus, tables_folder

__all__ = ["tables_folder"]

SEARCH = """
[mine]
title = "Mine"
rows = ["COGMEN-A", "COGMEN-Mask"]
seeds = [7]
finalists = 1
final_seeds = [8]

[[mine.candidates]]
name = "audio"
arm = "COGMEN-A"
grid = { dropout = [0.1, 0.3] }

[[mine.candidates]]
name = "masks"
arm = { like = "COGMEN-Mask", fusion = "late" }
grid = { "masking.unit" = ["utterance", "dialogue"] }
"""


@pytest.fixture
def arguments(tmp_path, tables_folder) -> list[object]:
    (tables_folder / "search.toml").write_text(SEARCH)
    other = replace(small_corpus(), name="other", labels=("yes", "no"))
    write(small_corpus(), tmp_path / "small.npz")
    write(other, tmp_path / "other.npz")
    return [
        "--data", tmp_path / "small.npz", "--data", tmp_path / "other.npz", "--profile", "smoke", "--device", "cpu",
        "--jobs", 1, "--out", tmp_path / "out", "--trials", 0,
    ]  # fmt: skip


@pytest.mark.slow
def test_a_search_chooses_on_dev_and_its_table_is_trained_from_other_seeds(replicate, arguments, tmp_path):
    status, stdout, stderr = replicate("sweep", "mine", *arguments)
    assert status == 0, stderr
    lines = stderr.splitlines()
    assert lines[0].startswith(
        "search mine on small and other: 3 of 3 candidates and COGMEN-A, 1 seed (7), 2 corpora: 8 runs and 0 of "
        "teachers; then the best 1 of audio alone and the best 1 with privileged streams, 1 more seeds; 0 completed, "
        "8 to train"
    )
    assert lines[9].startswith("search mine on small and other: 2 finalists and COGMEN-A, 2 seeds (7, 8), 2 corpora: ")
    assert lines[9].split("; ")[1].startswith("6 completed, 6 to train")
    folder = tmp_path / "out" / "small+other" / "smoke-paper"
    table = ["run", "chosen-mine", "--config-dir", str(folder), "--data", str(tmp_path / "small.npz")]
    assert lines[-2:] == [f"Written to {folder}/", f"Next: replicate {' '.join(table)}"]
    assert "test F1" not in stdout and "The test splits were not looked at." in stdout
    content = json.loads((folder / "sweep-mine.json").read_text())
    assert content["budget"] in stdout and content["command"].startswith(
        "replicate sweep mine --data small.npz --data other.npz --profile smoke --protocol paper --trials 3 --seeds 7,"
    )
    store = Store(tmp_path / "out" / "runs")
    assert {*store.keys()} == {*content["runs"]} and len(content["runs"]) == 14
    # The same command again trains nothing, and all runs count as used.
    status, again, stderr = replicate("sweep", "mine", *arguments)
    assert (status, again) == (0, stdout) and "8 completed, 0 to train" in stderr and "12 completed, 0" in stderr
    assert replicate("runs", "prune", "--store", store.root, "--unused", "--yes")[0] == 0
    assert len(store.keys()) == 14
    # The folder holds the table.
    options = ["--seeds", "124,125", "--profile", "smoke", "--device", "cpu", "--out", tmp_path / "out", "--dry-run"]
    status, stdout, stderr = replicate(*table, *options)
    assert status == 0 and "recipe" in (folder / "chosen-mine.toml").read_text(), stderr
    assert {line.rpartition(" ")[2] for line in stdout.splitlines()} == {"124", "125"}


def test_dry_run_lists_candidates_and_writes_nothing(replicate, arguments, tmp_path):
    status, stdout, stderr = replicate("sweep", "mine", *arguments, "--dry-run")
    assert status == 0 and stderr.count("\n") == 1
    assert stdout.splitlines() == [
        "0  COGMEN-A: unchanged",
        "1  masks: unchanged",
        "2  audio: dropout=0.3",
        "3  masks: masking.unit=dialogue",
    ]
    assert not (tmp_path / "out").exists()


def test_an_arm_is_swept_on_one_corpus(replicate, arguments):
    status, _, stderr = replicate("sweep", "COGMEN-A", *arguments)
    assert status == 2 and "COGMEN-A is an arm, which is swept on one corpus" in stderr


def test_a_folder_of_data_is_for_one_corpus(replicate, arguments, tmp_path):
    status, _, stderr = replicate("sweep", "mine", *arguments, "--data-dir", tmp_path)
    assert status == 2 and "--data-dir is for one corpus" in stderr
