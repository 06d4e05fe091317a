"""``replicate report``: the same files from the same runs, without training."""

from __future__ import annotations

import csv
import json
import shlex
import shutil

import pytest
from click.testing import CliRunner

from replicate.cli.report import report
from replicate.errors import CorruptRun, NothingToExport
from replicate.experiment.manifest import Manifest
from replicate.files import sha256
from replicate.metrics import METRICS
from replicate.report import checksums, ro_crate
from replicate.runner import local


@pytest.fixture
def results(smoke_out, tmp_path):
    """A copy of a complete results folder that may be written into."""
    shutil.copytree(smoke_out, tmp_path / "out")
    return tmp_path / "out" / "synthetic-tiny" / "smoke-paper"


def invoke(*arguments):
    return CliRunner().invoke(report, list(map(str, arguments)), catch_exceptions=False)


def test_outputs_are_written_again_without_training(results, monkeypatch):
    monkeypatch.setattr(local, "run_all", lambda *_: pytest.fail("a run was trained"))
    before = {path.name: path.read_bytes() for path in results.iterdir() if path.is_file()}
    manifest = json.loads(before["manifest.json"])
    for name in before.keys() - {"manifest.json"}:
        (results / name).unlink()
    done = invoke("--results", results.parents[1])
    assert done.exit_code == 0 and done.stdout == f"{results / 'index.html'}\n"
    after = {path.name: path.read_bytes() for path in results.iterdir() if path.is_file()}
    assert after.keys() == before.keys()
    assert {name for name in after if after[name] != before[name]} <= {"manifest.json", "index.html", "SHA256SUMS"}
    assert json.loads(after["manifest.json"])["wall_seconds"] == manifest["wall_seconds"]
    lines = done.stderr.splitlines()
    assert lines[0] == f"From {len(manifest['runs'])} completed runs: table2"
    assert shlex.split(lines[-1]) == ["Next:", "replicate", "export", "onnx", "--results", str(results)]


def test_a_missing_run_is_not_trained_but_named(results):
    manifest = json.loads((results / "manifest.json").read_text())
    shutil.rmtree(results / manifest["store"] / manifest["runs"][0])
    before = (results / "table2.md").read_bytes()
    with pytest.raises(CorruptRun, match=rf"1 of \d+ runs of .*replicate run table2 .* --out {results.parents[1]}`"):
        invoke("--results", results)
    assert (results / "table2.md").read_bytes() == before


def test_a_folder_without_results(tmp_path):
    with pytest.raises(NothingToExport, match="replicate run table2"):
        invoke("--results", tmp_path)


def test_a_style_adds_a_fragment_for_papers_of_each_table(results):
    before = {path.name: path.read_bytes() for path in results.glob("table2*")}
    assert invoke("--results", results, "--style", "booktabs").exit_code == 0
    after = {path.name: path.read_bytes() for path in results.glob("table2*")}
    fragment = after.pop("table2.booktabs.tex").decode()
    assert after == before and r"\usepackage{siunitx}" in fragment and "bold" in fragment.lower()


def test_open_shows_the_page(results, monkeypatch):
    shown = []
    monkeypatch.setattr("click.launch", shown.append)
    assert invoke("--results", results, "--open").exit_code == 0
    assert shown == [str(results / "index.html")]


def test_a_crate_describes_the_files_and_is_kept_up_to_date(results):
    before = {path: path.read_bytes() for path in results.rglob("*") if path.is_file()}
    done = invoke("--results", results.parents[1], "--ro-crate")
    crate = results / ro_crate.NAME
    manifest = Manifest.load(results)
    assert (done.exit_code, done.stdout, done.stderr) == (0, f"{crate}\n", f"table2: code: {manifest.revision}\n")
    added = {crate, results / checksums.NAME}
    after = {path: path.read_bytes() for path in results.rglob("*") if path.is_file()}
    assert {path for path in after if after[path] != before.get(path)} == added
    assert sha256(results / "table2.csv") in crate.read_text(encoding="utf-8")
    (results / checksums.NAME).unlink()  # as in folders of earlier versions
    assert invoke("--results", results, "--ro-crate").exit_code == 0 and (results / checksums.NAME).is_file()
    assert invoke("--results", results, "--metric", "accuracy").exit_code == 0
    assert (results / "table2.csv").read_bytes() != before[results / "table2.csv"]
    assert sha256(results / "table2.csv") in crate.read_text(encoding="utf-8")


@pytest.mark.parametrize("option", [["--open"], ["--metric", "accuracy"], ["--style", "plain"]])
def test_a_crate_describes_files_as_they_are(results, option):
    done = invoke("--results", results, "--ro-crate", *option)
    assert done.exit_code == 2 and "leave out --open, --metric and --style" in done.stderr
    assert not (results / ro_crate.NAME).exists()


def test_scores_in_long_form_are_those_of_the_table(smoke_results):
    with (smoke_results / "scores.csv").open(encoding="utf-8") as file:
        scores = list(csv.DictReader(file))
    classes = ("angry", "happy", "neutral", "sad")
    assert {line["metric"] for line in scores} == {*METRICS, *(f"f1:{name}" for name in classes)}
    table = json.loads((smoke_results / "table2.json").read_text(encoding="utf-8"))
    for row in table["rows"]:
        for context, cell in row["cells"].items():
            where = ("table2", row["row"], context, "weighted_f1")
            found = [e for e in scores if (e["table"], e["row"], e["context"], e["metric"]) == where]
            assert [int(line["seed"]) for line in found] == table["seeds"]
            assert [float(line["value"]) for line in found] == cell["values"]
    with (smoke_results / "comparisons.csv").open(encoding="utf-8") as file:
        compared = [(line["first"], line["second"], float(line["difference"])) for line in csv.DictReader(file)]
    assert compared == [(each["first"], each["second"], each["difference"]) for each in table["comparisons"]]
