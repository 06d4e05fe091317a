import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from replicate import errors
from replicate.config import folders
from replicate.corpus.archive import write
from replicate.experiment.prepare import Options, prepare
from replicate.experiment.sweep import Sweep
from replicate.store.record import RECORD
from replicate.store.store import Store
from replicate.training.config import RunSpec
from tests.planted import put
from tests.small_runs import small_corpus

GRIDS = """
[COGMEN-Mask]
context_layers = [2, 4]
"masking.length" = [1, 3]

[Student-A]
gnn_heads = [3, 7]
"""


@pytest.fixture(autouse=True)
def _small_grids(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(folders.packaged(), tmp_path / "tables")
    (tmp_path / "tables" / "sweep.toml").write_text(GRIDS)
    monkeypatch.setattr(folders, "packaged", lambda: tmp_path / "tables")


@pytest.fixture
def arguments(tmp_path: Path) -> list[object]:
    """Options of all calls here."""
    write(small_corpus(), tmp_path / "small.npz")
    data = tmp_path / "small.npz"
    return ["--data", data, "--profile", "smoke", "--device", "cpu", "--jobs", 1, "--out", tmp_path / "out"]


@pytest.fixture
def planted(tmp_path: Path, arguments: list[object]) -> Sweep:
    """All four trials of COGMEN-Mask, complete; trial 2 is best on dev and trial 1 is best on test."""
    plan, context = prepare([], Options("smoke", data=arguments[1], device="cpu", jobs=1, out=tmp_path / "out"))
    sweep = Sweep.prepare("COGMEN-Mask", 3, plan, context)
    for trial, (dev, test) in zip(sweep.trials, [(2, 2), (3, 0), (1, 1), (3, 5)], strict=True):
        for seed in plan.seeds:
            spec = RunSpec(trial.arm, trial.protocol, plan.profile.budget, seed)
            # The two that may be shown differ between seeds.
            put(context.store, spec, plan.corpus, {"dev": dev, "test": test + (seed == 25) * (test in (1, 2))})
    return sweep


def test_whole_output(replicate: Callable, planted: Sweep, arguments, tmp_path):
    out = tmp_path / "out"
    status, stdout, stderr = replicate("sweep", "COGMEN-Mask", *arguments)
    assert status == 0
    result = planted.result()
    assert result.winner.number == 2
    dev = [f"{scores.summary.mean:.3f} ± {scores.summary.std:.3f}" for _, scores in result.ranked]
    test = {
        number: "  ".join(f"{s.summary.mean:.3f} ± {s.summary.std:.3f}" for s in cells.values())
        for number, cells in result.test.items()
    }
    lines = [" ".join(line.split()) for line in stdout.splitlines() if line.strip() and "──" not in line]
    words = {trial.number: trial.words for trial in planted.trials}
    corpus = planted.plan.corpus.hash[:12]
    assert lines == [
        "sweep of COGMEN-Mask on small: trials by dev F1",
        "trial what differs dev F1, A inference n",
        f"2 {words[2]} {dev[0]} 2",
        f"0 unchanged {dev[1]} 2",
        f"1 {words[1]} {dev[2]} 2",
        f"3 {words[3]} {dev[3]} 2",
        "Test",
        "trial test F1, A inference test F1, AV inference",
        f"2, selected {' '.join(test[2].split())}",
        f"0, unchanged {' '.join(test[0].split())}",
        f"Measured on small ({corpus}), protocol paper, profile smoke; weighted F1, mean ± sample deviation over n = 2 "
        "seeds (24, 25).",
        "Trials: all points of the grid in tables/sweep.toml, and the unchanged arm. Epochs and the trial are selected "
        "on dev, A inference.",
        "The dev F1 of the selected trial is biased upwards by the selection. The test split was evaluated only for "
        "this trial and for the unchanged arm.",
    ]
    assert stderr.splitlines() == [
        "sweep of COGMEN-Mask on small: 3 of 3 points of the grid and the unchanged arm, 8 runs, 8 completed, 0 to "
        "train (2 epochs each, cpu, 1 at a time)",
        f"Written to {out / 'small' / 'smoke-paper'}/",
        f"Next: replicate runs show {planted.key(result.winner, 24)} --store {out / 'runs'}",
    ]


def test_files_hold_the_same_numbers_and_no_other_test_score(replicate, planted, arguments, tmp_path):
    status, stdout, _ = replicate("sweep", "COGMEN-Mask", *arguments)
    assert status == 0
    folder = tmp_path / "out" / "small" / "smoke-paper"
    names = [f"sweep-COGMEN-Mask.{suffix}" for suffix in ("csv", "json", "md")]
    assert sorted(path.name for path in folder.iterdir()) == names
    content = json.loads((folder / names[1]).read_text())
    assert (content["sweep"], content["select"], content["winner"], content["points"]) == ("COGMEN-Mask", "A", 2, 3)
    assert (content["profile"], content["protocol"], content["seeds"]) == ("smoke", "paper", [24, 25])
    assert content["corpus"] == {"name": "small", "hash": planted.plan.corpus.hash, "notes": []}
    assert [trial["trial"] for trial in content["trials"]] == [2, 0, 1, 3]
    assert [trial["trial"] for trial in content["trials"] if "test" in trial] == [2, 0]
    assert content["trials"][0]["change"] == dict(planted.trials[2].change)
    assert (
        set(content["runs"])
        == {key for trial in content["trials"] for key in trial["runs"]}
        == set(planted.graph.tasks)
    )
    assert (folder / content["store"]).resolve() == planted.context.store.root.resolve()
    with (folder / names[0]).open() as file:
        lines = list(csv.DictReader(file))
    assert [(line["trial"], line["split"], line["context"]) for line in lines] == [
        *((str(number), "dev", "A") for number in (2, 0, 1, 3)),
        *((str(number), "test", context) for number in (2, 0) for context in ("A", "AV")),
    ]
    by_trial = {str(trial["trial"]): trial for trial in content["trials"]}
    markdown = (folder / names[2]).read_text()
    for line in lines:
        trial = by_trial[line["trial"]]
        numbers = trial["dev"] if line["split"] == "dev" else trial["test"][line["context"]]
        assert [float(value) for value in line["values"].split()] == numbers["values"]
        assert (float(line["mean"]), float(line["std"])) == (numbers["mean"], numbers["std"])
        shown = f"{numbers['mean']:.3f} ± {numbers['std']:.3f}"
        assert shown in stdout and shown in markdown
        assert line["corpus"] == "small" and line["seeds"] == "24 25"
    # Trial 1 predicts all of test correctly, but its test score must not appear anywhere.
    assert not [
        written for written in (stdout, markdown, json.dumps(content["trials"]), str(lines)) if "1.0" in written
    ]


def test_notes_of_the_corpus_are_printed(replicate, arguments, tmp_path):
    from dataclasses import replace

    corpus = replace(small_corpus(), notes=("made up: no replication",))
    write(corpus, tmp_path / "small.npz")
    status, stdout, _ = replicate("sweep", "COGMEN-Mask", *arguments, "--trials", 1, "--seeds", "24,")
    assert status == 0 and "(1 seed)" in stdout and stdout.endswith("Made up: no replication.\n")
    assert "Made up: no replication." in (tmp_path / "out/small/smoke-paper/sweep-COGMEN-Mask.md").read_text()


def test_students_are_trained_after_their_teachers_and_nothing_twice(replicate, arguments, tmp_path):
    status, stdout, stderr = replicate("sweep", "Student-A", *arguments, "--seeds", "24,")
    assert status == 0
    trained = [line.partition("complete: ")[2].partition(",")[0] for line in stderr.splitlines()[1:-2]]
    assert trained == ["Teacher-AV", "Student-A", "Student-A-3-heads"]
    assert "The teacher Teacher-AV is the same in every trial.\n" in stdout
    store = Store(tmp_path / "out" / "runs")
    keys = store.keys()
    before = [(store.root / key / RECORD).stat().st_mtime_ns for key in keys]
    status, again, stderr = replicate("sweep", "Student-A", *arguments, "--seeds", "24,")
    assert (status, again) == (0, stdout) and "3 runs, 3 completed, 0 to train" in stderr
    assert store.keys() == keys and [(store.root / key / RECORD).stat().st_mtime_ns for key in keys] == before
    # What it trained is used: no manifest names it, but the sweep's own file does.
    assert replicate("runs", "prune", "--store", store.root, "--unused", "--yes")[0] == 0
    assert store.keys() == keys


def test_dry_run_lists_trials_and_writes_nothing(replicate, arguments, tmp_path):
    status, stdout, stderr = replicate("sweep", "COGMEN-Mask", *arguments, "--trials", 0, "--dry-run")
    assert (status, stdout.splitlines()) == (
        0,
        ["0  unchanged", "1  masking.length=3", "2  context_layers=4", "3  context_layers=4, masking.length=3"],
    )
    assert stderr == (
        "sweep of COGMEN-Mask on small: 3 of 3 points of the grid and the unchanged arm, 8 runs, 0 completed, 8 to "
        "train (2 epochs each, cpu, 1 at a time)\n"
    )
    assert not (tmp_path / "out").exists()


def test_seeds_default_to_the_first_two_of_the_profile(replicate, arguments, tmp_path):
    profiles = tmp_path / "tables" / "profiles.toml"
    profiles.write_text(profiles.read_text().replace("seeds = [24, 25]", "seeds = [31, 30, 29]", 1))
    for seeds, runs in (([], 8), (["--seeds", "5"], 20)):
        _, _, stderr = replicate("sweep", "COGMEN-Mask", *arguments, *seeds, "--dry-run")
        assert f", {runs} runs, " in stderr


@pytest.mark.parametrize(
    ("grid", "arm", "kind", "named"),
    [
        (GRIDS, "COGMEN-Musk", errors.InvalidDefinition, "did you mean COGMEN-Mask"),
        ("[Student-A]\ngnn_heads = [0]", "Student-A", errors.InvalidDefinition, "gnn_heads = 0 must be 1 or more"),
        ("[COGMEN-A]\nepochs = [9]", "COGMEN-A", errors.InvalidDefinition, "unknown key 'epochs'"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_trained(replicate, arguments, tmp_path, grid, arm, kind, named):
    (tmp_path / "tables" / "sweep.toml").write_text(grid)
    status, stdout, stderr = replicate("sweep", arm, *arguments)
    assert (status, stdout, stderr.count("\n")) == (1, "", 1)
    assert stderr.startswith(f"error ({kind.kind}): sweep.toml") and named in stderr
    assert not (tmp_path / "out").exists()


def test_damaged_runs_are_trained_again_with_repair(replicate, planted, arguments):
    key = planted.key(planted.trials[3], 25)
    (planted.context.store.root / key / RECORD).write_text("{")
    status, stdout, stderr = replicate("sweep", "COGMEN-Mask", *arguments)
    assert (status, stdout) == (1, "") and "error (corrupt run)" in stderr and key in stderr and "--repair" in stderr
    status, _, stderr = replicate("sweep", "COGMEN-Mask", *arguments, "--repair")
    assert status == 0 and "8 runs, 7 completed, 1 to train" in stderr
    assert planted.context.store.get(key) is not None
