"""Circumstances of a process that must not matter, or must be named in one line: memory, home folder, environment."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from replicate import machine
from replicate.corpus import data_folder, is_here, load
from replicate.errors import UnknownCorpus

ROOT = Path(__file__).parents[2]
WITH_NEW_OPENBLAS = pytest.mark.skipif(
    sys.version_info < (3, 11), reason="OpenBLAS of the last numpy for Python 3.10 asks for memory without an end"
)


def run(*words: str, limit: int | None = None, folder: Path = ROOT, **environment: str) -> subprocess.CompletedProcess:
    """Run a command in a process of its own, with a limit of its address space in megabytes."""

    def limited() -> None:
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_AS, (limit << 20, limit << 20))

    return subprocess.run(
        [sys.executable, "-m", "replicate", *words],
        preexec_fn=limited,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.skipif(sys.platform != "linux", reason="limits of the address space hold on Linux")
@pytest.mark.parametrize("limit", [60, pytest.param(100, marks=WITH_NEW_OPENBLAS)])
def test_too_little_memory_at_the_start_is_one_line(limit):
    done = run("data", "info", "synthetic-tiny", limit=limit)
    assert done.returncode == 1 and done.stdout == ""
    assert len(done.stderr.splitlines()) == 1 and "emory" in done.stderr


def test_ctrl_c_while_modules_are_imported_is_one_line(tmp_path):
    (tmp_path / "click.py").write_text("raise KeyboardInterrupt")
    done = run("data", "list", PYTHONPATH=f"{tmp_path}{os.pathsep}{ROOT}")
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == "error (interrupted): completed runs are kept\n"


@pytest.mark.parametrize(
    ("error", "lacks"),
    [
        (MemoryError(), True),
        (ImportError("libtorch_cpu.so: failed to map segment from shared object"), True),
        (RuntimeError("can't start new thread"), True),
        (ImportError("No module named 'opensmile'"), False),
        (ValueError("x"), False),
    ],
)
def test_errors_of_memory_are_recognised(error, lacks):
    assert machine.lacks_memory(error) == lacks
    outer = ImportError("numpy failed")
    outer.__cause__ = error
    assert machine.lacks_memory(outer) == lacks


@pytest.fixture
def no_home(monkeypatch):
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("REPLICATE_DATA", raising=False)
    monkeypatch.setattr("os.path.expanduser", lambda path: path)  # as of a user without an entry in passwd


def test_without_a_home_generated_corpora_load_and_others_are_missing(no_home, tmp_path):
    assert load("synthetic-tiny").name == "synthetic-tiny"
    assert is_here("synthetic-tiny") and not is_here("mosi")
    with pytest.raises(UnknownCorpus, match="has no home; set HOME or REPLICATE_DATA"):
        load("mosi")
    assert data_folder("mosi", tmp_path) == tmp_path


def test_without_a_home_corpora_are_listed(no_home, replicate):
    done = replicate("data", "list")
    assert done.status == 0 and "synthetic-tiny" in done.stdout and "mosi" in done.stdout


@pytest.mark.parametrize("backend", ["module://none.such", "inline", "TkAgg"])
def test_the_backend_of_a_notebook_does_not_matter(backend, monkeypatch):
    code = "from replicate import plotting; import os, matplotlib; print(os.environ['MPLBACKEND'])"
    environment = {**os.environ, "MPLBACKEND": backend, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{backend}\n", "")


def test_a_library_that_does_not_load_is_found_before_the_training(replicate, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    done = replicate("run", "table2", "--profile", "smoke", "--out", tmp_path / "out")
    assert done.status == 1 and "jinja2 does not load here" in done.stderr and not (tmp_path / "out" / "runs").exists()


def test_an_output_that_cannot_be_written_is_found_before_the_training(replicate, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "synthetic-tiny").write_text("a file")
    done = replicate("run", "table2", "--profile", "smoke", "--out", tmp_path / "out")
    assert done.status == 1 and done.stderr.splitlines()[-1].startswith("error (cannot write): ")
    assert not (tmp_path / "out" / "runs").exists()
