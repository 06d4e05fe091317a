"""Hostile text in every field of every input, and every output that may show it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from export.audio import files as timeline_files
from export.audio.formats.registry import FORMATS
from export.audio.timeline import Recording, Segment, Timeline
from replicate.corpus import archive
from replicate.store.record import RECORD, digest
from tests.hostile import ARM, FILE, NAME, TEXT, corpus, definitions, problems, problems_below


def test_the_check_finds_what_it_looks_for():
    assert all(problems(TEXT, kind) for kind in ("terminal", "md", "html", "csv", "tex", "vtt", "json", "svg"))
    kinds = ("md", "html", "csv", "tex", "vtt", "tsv", "srt", "eaf", "TextGrid", "rttm")
    assert all(problems(NAME, kind) for kind in kinds)


def test_a_timeline_of_hostile_names(tmp_path):
    labels = (f"_{TEXT} 0", f"{TEXT} 1")
    segments = tuple(Segment(f"{TEXT} {i}" * 4, 1, f"{TEXT} {i}", float(i), i + 1.5, (0.25, 0.75)) for i in range(2))
    recordings = {one.dialogue: Recording(TEXT, 3.0) for one in segments}
    made = Timeline(labels, segments, (TEXT,), (TEXT,), recordings)
    paths = timeline_files.write(made, tmp_path / "out", formats=list(FORMATS))
    assert len(paths) == 4 + 2 * 7 and all(path.parent == tmp_path / "out" and path.stat().st_size for path in paths)
    assert problems_below(tmp_path) == []


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with a hostile corpus, definitions, and the results of a table on them."""
    folder = tmp_path_factory.mktemp("hostile")
    archive.write(corpus(), folder / "c.npz")
    definitions(folder / "mine")
    options = ["--config-dir", "mine"]
    how = ["--data", "c.npz", "--profile", NAME, "--jobs", "1", "--device", "cpu", "-v", "--log-file", "run.log"]
    run(folder, "run", FILE, *options, *how)
    return folder


def run(folder: Path, *words: str, status: int = 0, stdin: str = "", **environment: str) -> str:
    """Run a command in a process of its own, and return what it prints, in which nothing may be wrong."""
    done = subprocess.run(
        [sys.executable, "-m", "replicate", *words],
        cwd=folder,
        input=stdin.encode(),
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), **environment},
        timeout=300,
    )
    out, err = done.stdout.decode(), done.stderr.decode()
    assert done.returncode == status, err
    assert problems(out, "terminal") == problems(err, "terminal") == []
    assert "Traceback" not in err and "UserWarning" not in err
    return out


@pytest.mark.slow
def test_tables_figures_and_lists(trained):
    options = ["--config-dir", "mine"]
    store = ["--store", "results/runs"]
    assert problems_below(trained) == []
    assert len(list((trained / "results").rglob("*-hostile.svg"))) == 4
    run(trained, "report", *options, "--metric", "macro_f1")
    run(trained, "data", "info", "c.npz", *options)
    run(trained, "check", "claims", "results", status=3)  # undecided with two seeds
    listed = run(trained, "runs", "list", *store, *options).splitlines()
    run(trained, "runs", "show", listed[1].split()[0], *store, *options)
    assert json.loads(run(trained, "runs", "list", "--json", *store, *options))[0]["corpus"] == NAME
    run(trained, "runs", "prune", "--dry-run", *store, *options)
    run(trained, "sweep", ARM, *options, "--data", "c.npz", "--profile", NAME, "--trials", "1", "--jobs", "1")
    run(trained, "run", FILE, *options, "--data", "c.npz", "--profile", f"{NAME}?", status=1)
    run(trained, "run", f"{FILE}\x1b[2J", *options, status=1)
    run(trained, "runs", f"{TEXT}", status=2)
    assert problems_below(trained) == []


@pytest.mark.slow
def test_a_bundle_and_its_predictions(trained):
    options = ["--config-dir", "mine"]
    run(trained, "export", "onnx", *options, "--arm", NAME, "--out", "bundle")
    run(trained, "check", "bundle", "bundle", "--data", "c.npz", *options)
    names = [f"f{i}" for i in range(corpus().widths["audio"])]
    cells = ['"' + f"{text}".replace('"', '""') + '"' for text in (TEXT, f"{NAME} 0")]
    table = f"dialogue,speaker,{','.join(names)}\n{','.join(cells)}{',0.5' * len(names)}\n"
    (trained / "in.csv").write_text(table, encoding="utf-8", newline="")
    for source in ("in.csv", "c.npz"):
        run(trained, "predict", "bundle", source)
        assert problems(run(trained, "predict", "bundle", source, "--csv"), "csv") == []
        json.loads(run(trained, "predict", "bundle", source, "--json"))
    (trained / "in.csv").write_text(table.replace("0.5", "nan"), encoding="utf-8", newline="")
    run(trained, "predict", "bundle", "in.csv", status=1)
    assert problems_below(trained / "bundle") == []


@pytest.mark.slow
def test_a_forged_record(trained, tmp_path):
    shutil.copytree(trained / "results" / "runs", tmp_path / "runs", ignore=shutil.ignore_patterns(".locks"))
    for folder in (tmp_path / "runs").glob("[0-9a-f]*"):
        content = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        content["arm"] |= {"name": TEXT, "select": "A", "train": TEXT, "audio": TEXT}
        content["protocol"]["name"] = content["device"] = content["corpus"]["name"] = TEXT
        content["corpus"]["labels"] = [f"{TEXT} {i}" for i in range(len(content["corpus"]["labels"]))]
        content["versions"] = {TEXT: TEXT}
        (folder / RECORD).write_text(json.dumps(content | {"sha256": digest(content)}), encoding="utf-8")
    listed = run(tmp_path, "runs", "list", "--store", "runs").splitlines()
    assert len(listed) > 2 and all("damaged" in line for line in listed[1:])  # such names are in no record
    run(tmp_path, "runs", "show", listed[1].split()[0], "--store", "runs", status=1)
    run(tmp_path, "check", "store", "--store", "runs", status=3)
