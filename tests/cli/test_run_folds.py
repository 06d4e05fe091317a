"""`--folds` and `--metric`: what is trained, written, shown and refused."""

import csv
import json

import pytest

from replicate.metrics import METRICS

ONE = """
title = "One arm"
source = "nowhere"
contexts = ["A"]
in_paper = false

[[rows]]
name = "Base"
arm = "COGMEN-A"
"""


@pytest.fixture(scope="module")
def mine(tmp_path_factory):
    """A folder with a table of one arm."""
    folder = tmp_path_factory.mktemp("mine")
    (folder / "one.toml").write_text(ONE)
    return folder


@pytest.mark.slow
def test_a_table_of_folds_is_trained_shown_and_reported(replicate, mine, tmp_path):
    run = ("run", "one", "--config-dir", mine, "--profile", "smoke", "--seeds", "1", "--jobs", 1, "--out", tmp_path)
    done = replicate(*run, "--folds", "4", "--metric", "ua")
    assert done.status == 0 and "one on synthetic-tiny in 4 folds: 4 runs, 0 completed" in done.stderr
    assert "replicate export" not in done.stderr
    assert "unweighted recall (UA) on test" in done.stdout and "logistic regression" in done.stdout
    folder = tmp_path / "synthetic-tiny" / "smoke-paper-folds-4"
    manifest = json.loads((folder / "manifest.json").read_text())
    assert (manifest["folds"], manifest["metric"]) == ("4", "ua") and "--folds 4 --metric ua" in manifest["command"]
    scores = list(csv.DictReader((folder / "scores.csv").open()))
    assert {line["metric"] for line in scores} > set(METRICS)
    assert {(line["row"], line["seed"], line["fold"]) for line in scores} == {
        *(("Base", "24", fold) for fold in "1234"),
        *((name, "", fold) for name in ("majority class", "logistic regression") for fold in "1234"),
    }
    dry = replicate(*run, "--folds", "4", "--dry-run")
    assert "4 runs, 4 completed, 0 to train" in dry.stderr
    assert replicate("export", "onnx", "--results", folder).status == 1
    ua = (folder / "one.md").read_text()
    assert replicate("report", "--results", folder, "--config-dir", mine).status == 0
    assert (folder / "one.md").read_text() == ua
    assert replicate("report", "--results", folder, "--config-dir", mine, "--metric", "ece").status == 0
    assert "expected calibration error (15 bins) on test" in (folder / "one.md").read_text()


def test_runs_of_folds_are_listed_with_their_fold(replicate, mine, tmp_path):
    done = replicate(
        *("run", "one", "--config-dir", mine, "--profile", "smoke", "--seeds", "24,", "--folds", "session"),
        *("--dry-run", "--out", tmp_path),
    )
    assert done.stdout.splitlines() == [f"COGMEN-A, fold {i} of 5: Syn0{i}, seed 24" for i in range(1, 6)]


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("sessions", "error (bad folds): folds = 'sessions' is none of session, speaker, K and dev-K"),
        ("6", "error (bad folds): corpus synthetic-tiny, folds 6: 6 folds, but only 5 groups of dialogues"),
        ("dev-5", "error (missing class): corpus synthetic-tiny, fold 5 of 5: no utterance of class 'happy' in dev"),
    ],
)
def test_folds_that_are_impossible_are_one_line(replicate, mine, tmp_path, how, message):
    done = replicate("run", "one", "--config-dir", mine, "--profile", "smoke", "--folds", how, "--out", tmp_path)
    assert done.status == 1 and done.stderr.splitlines()[-1].startswith(message)


def test_an_unknown_metric_is_a_usage_error(replicate, tmp_path):
    done = replicate("run", "table2", "--metric", "f2", "--out", tmp_path)
    assert done.status == 2 and "weighted_f1" in done.stderr
