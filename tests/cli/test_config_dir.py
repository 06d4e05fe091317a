"""--config-dir: definitions and plugins of a user's folder, and mistakes in them before anything is trained."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from replicate.corpus import archive
from tests.small_runs import small_corpus

ARMS = '[thin]\nlike = "COGMEN-A"\ngnn_heads = 1\n'
TABLE = (
    'title = "T"\nsource = "not in the paper"\nin_paper = false\ncontexts = ["A"]\n'
    '[[rows]]\nname = "thin"\narm = "thin"\n'
)


READER = """
from replicate.corpus import archive
from replicate.corpus.readers.base import Reader, register


@register("toy")
class ToyReader(Reader):
    format = "a .toy file"

    def accepts(self, path):
        return path.suffix == ".toy"

    def read(self, path):
        return archive.read(path)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "mine"
    path.mkdir()
    (path / "arms.toml").write_text(ARMS)
    (path / "my-table.toml").write_text(TABLE)
    return path


@pytest.fixture
def dry_run(replicate, tmp_path):
    def call(table: str, *options: object):
        return replicate("run", table, "--profile", "smoke", "--dry-run", "--out", tmp_path / "out", *options)

    return call


def test_a_table_of_ones_own_is_trained_and_reported(replicate, folder, tmp_path):
    with_folder = ("--config-dir", folder)
    size = ("--profile", "smoke", "--seed", 24, "--jobs", 1, "--out", tmp_path / "out")
    done = replicate("run", "my-table", *size, *with_folder)
    assert done.status == 0, done.stderr
    assert "thin" in done.stdout and "1 runs" in done.stderr
    page = tmp_path / "out" / "synthetic-tiny" / "smoke-paper" / "my-table.md"
    before = page.read_text()
    page.unlink()
    assert replicate("report", "--results", tmp_path / "out", *with_folder).status == 0
    assert page.read_text() == before


def test_a_results_folder_does_not_decide_what_is_imported(replicate, folder, tmp_path):
    size = ("--profile", "smoke", "--seed", 24, "--jobs", 1, "--out", tmp_path / "out")
    assert replicate("run", "my-table", *size, "--config-dir", folder).status == 0
    (folder / "plugin.py").write_text(f"open({str(tmp_path / 'executed')!r}, 'w')")
    done = replicate("report", "--results", tmp_path / "out")
    assert done.status == 1 and not (tmp_path / "executed").exists()
    assert done.stderr.startswith("error (invalid definition): ") and f"add --config-dir {folder}" in done.stderr
    # The folder may be somewhere else now.
    moved = folder.rename(tmp_path / "moved")
    assert replicate("report", "--results", tmp_path / "out", "--config-dir", moved).status == 0


@pytest.mark.slow
def test_a_corpus_of_ones_own_reader_is_trained_exported_checked_and_predicted(replicate, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mine").mkdir()
    Path("mine/reader.py").write_text(READER)
    archive.write(small_corpus(), tmp_path / "small.npz")
    Path("small.npz").rename("small.toy")
    size = ("--profile", "smoke", "--seed", 24, "--jobs", 1)

    def call(*words: object) -> str:
        done = replicate(*words)
        assert done.status == 0, done.stderr
        return done.stderr

    own = ("--config-dir", "mine")
    assert f"--data small.toy --config-dir {tmp_path / 'mine'}\n" in call("data", "info", "small.toy", *own)
    assert f" --config-dir {tmp_path / 'mine'}\n" in call("run", "table2", "--data", "small.toy", *size, *own)
    call("export", "onnx", "--out", "bundle", *own)
    assert "not tried" not in call("check", "bundle", "bundle", "--data", "small.toy", *own)
    call("predict", "bundle", "small.toy", *own)
    done = replicate("predict", "bundle", "small.toy")
    assert done.status == 1 and "a corpus reader of yours in --config-dir" in done.stderr
    size = ("--calls", 1, "--batch", 1, "--length", 10, "--threads", 1, "--device", "cpu")
    call("benchmark", "bundle", "--data", "small.toy", *size, *own)


def test_the_option_is_of_one_command_only(dry_run, folder):
    assert dry_run("my-table", "--config-dir", folder).stdout == "thin, seed 24\nthin, seed 25\n"
    done = dry_run("my-table")
    assert done.status == 1 and done.stderr.startswith("error (unknown table): ")


def test_several_folders_by_option_or_environment(dry_run, folder, tmp_path, monkeypatch):
    (tmp_path / "more").mkdir()
    (folder / "my-table.toml").rename(tmp_path / "more" / "my-table.toml")
    expected = "thin, seed 24\nthin, seed 25\n"
    assert dry_run("my-table", "--config-dir", folder, "--config-dir", tmp_path / "more").stdout == expected
    monkeypatch.setenv("REPLICATE_CONFIG_DIR", os.pathsep.join(map(str, (folder, tmp_path / "more"))))
    assert dry_run("my-table").stdout == expected


def test_an_arm_of_ones_own_can_be_swept(replicate, folder, tmp_path):
    (folder / "sweep.toml").write_text("[thin]\ngnn_heads = [1, 2]\n")
    command = ("sweep", "thin", "--profile", "smoke", "--dry-run", "--out", tmp_path / "out")
    done = replicate(*command, "--config-dir", folder)
    assert done.status == 0 and len(done.stdout.splitlines()) == 2, done.stderr


@pytest.mark.parametrize(
    ("name", "content", "kind", "words"),
    [
        ("arms.toml", ARMS + "heads = 2\n", "invalid definition", ("arms.toml", "thin", "'heads'")),
        ("arms.toml", ARMS.replace("[thin]", "[COGMEN-A]"), "invalid definition", ("arms.toml", "same name")),
        ("arms.toml", ARMS + '[x]\nlike = "COGMEN-Musk"\n', "invalid definition", ("did you mean COGMEN-Mask",)),
        ("table2.toml", TABLE, "invalid definition", ("table2.toml", "same name")),
        ("broken.py", "import no_such_module\n", "bad plugin", ("broken.py", "no_such_module")),
        ("broken.py", "def f(:\n", "bad plugin", ("broken.py, line 1",)),
    ],
)
def test_mistakes_are_one_line_before_training(dry_run, folder, tmp_path, name, content, kind, words):
    (folder / name).write_text(content)
    done = dry_run("my-table", "--config-dir", folder)
    assert (done.status, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert done.stderr.startswith(f"error ({kind}): ") and all(word in done.stderr for word in words), done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[thinn]\ngnn_heads = [1]\n", "did you mean thin?"),
        ("[thin]\ngnn_heads = 1\n", "it needs a list"),
        ("thin = 3\n", "thin"),
    ],
)
def test_mistakes_in_grids_are_found_by_every_command(replicate, dry_run, folder, tmp_path, content, words):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "manifest.json").write_text("{}")
    (folder / "sweep.toml").write_text(content)
    mine = ("--config-dir", folder)
    for done in (
        dry_run("my-table", *mine),
        replicate("sweep", "Student-A", "--profile", "smoke", "--dry-run", "--out", tmp_path / "out", *mine),
        replicate("report", "--results", tmp_path / "out", *mine),
    ):
        assert done.status == 1 and words in done.stderr and str(folder / "sweep.toml") in done.stderr
        assert done.stderr.startswith("error (invalid definition): ")


def test_a_folder_that_does_not_exist_is_an_error(dry_run, tmp_path):
    done = dry_run("table2", "--config-dir", tmp_path / "absent")
    assert done.status == 1 and "absent: no such folder" in done.stderr


def test_help_does_not_import_plugins(folder):
    (folder / "plugin.py").write_text("raise SystemExit(5)\n")
    environment = os.environ | {"REPLICATE_CONFIG_DIR": str(folder)}
    done = subprocess.run([sys.executable, "-m", "replicate", "run", "--help"], env=environment, capture_output=True)
    assert done.returncode == 0


METHOD = """
from dataclasses import dataclass
from replicate.training.distillation import DistillationMethod, MethodLosses, Settings, register

@dataclass(frozen=True)
class MineSettings(Settings):
    mine_weight: float = 1.0

@register("mine", MineSettings)
class Mine(DistillationMethod):
    def __init__(self, setup):
        super().__init__(setup, {"mine": 1.0})

    def forward(self, student, teachers, labels):
        return MethodLosses({"mine": (student.embedding - teachers[0].embedding).square().mean()})
"""


def test_runs_of_a_changed_plugin_are_remarked_listed_and_removed(replicate, folder, tmp_path):
    (folder / "pull.py").write_text(METHOD)
    (folder / "my-table.toml").write_text(
        TABLE.replace('arm = "thin"', 'arm = { like = "Student-A", distillation.method = "mine" }')
    )
    size = ("--profile", "smoke", "--seed", 24, "--jobs", 1, "--out", tmp_path / "out")
    store, mine = ("--store", tmp_path / "out" / "runs"), ("--config-dir", folder)
    assert replicate("run", "my-table", *size, *mine).status == 0
    (folder / "pull.py").write_text(METHOD.replace("square", "abs"))
    remark = replicate("run", "my-table", *size, *mine, "--dry-run").stderr
    assert "1 run in " in remark and " is of another version (the source of plugin pull) and left alone" in remark
    assert f"`replicate runs prune --config-dir {folder} --store {store[1]}` removes them" in remark
    listed = json.loads(replicate("runs", "list", "--json", *store, *mine).stdout)
    assert sorted(run["current"] for run in listed) == [False, True]
    removed = replicate("runs", "prune", "--yes", *store, *mine)
    assert removed.status == 0 and "another version: the source of plugin pull " in removed.stdout
    assert len(list((tmp_path / "out" / "runs").glob("*/run.json"))) == 1
    assert "another version" not in replicate("run", "my-table", *size, *mine, "--dry-run").stderr
