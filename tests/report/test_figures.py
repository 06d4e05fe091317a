"""Figures of completed runs: files, captions, and that the same runs give the same bytes."""

import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace

import matplotlib
import numpy as np
import pytest
import torch
from matplotlib.image import imread

from replicate import plotting
from replicate.config import figures as definitions
from replicate.corpus.synthetic import NOTES
from replicate.errors import CannotWrite
from replicate.experiment import collect
from replicate.model.seed_layers import SeedBatch
from replicate.report import figures, text
from replicate.report.figures import embedding, panels
from tests.experiment.builders import prepare
from tests.figures_toml import section


@pytest.fixture
def figures_toml(tables_folder):
    """Replace the content of ``figures.toml``."""
    return lambda text: (tables_folder / "figures.toml").write_text(text, encoding="utf-8")


@pytest.fixture
def smoke(smoke_out):
    """The completed runs of table 2 with the smoke profile."""
    return prepare(smoke_out).completed


@pytest.fixture
def folder(tmp_path):
    """Where figures are drawn."""
    return tmp_path / "figures"


def test_of_table2_alone_its_own_figures_are_drawn(smoke, folder):
    found = figures.write(smoke, collect.tables(smoke), folder)
    assert [figure.name for figure in found] == ["figure4", "per-class-f1"]
    assert sorted(path.name for path in folder.iterdir()) == [
        *("figure4.png", "figure4.svg", "per-class-f1.png", "per-class-f1.svg")
    ]
    for figure in found:
        assert (figure.png, figure.svg) == (folder / f"{figure.name}.png", folder / f"{figure.name}.svg")
        assert "synthetic-tiny" in figure.title
        for sentence in (
            "Measured on synthetic-tiny, protocol paper, profile smoke, n = 2 seeds.",
            text.sentences([NOTES["positive"]])[0],
        ):
            assert sentence in figure.caption
        height, width, _ = imread(figure.png).shape
        assert width > 900 and height > 500
        root = ET.parse(figure.svg).getroot()
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        # Text is drawn as outlines, and repeated in comments.
        comments = re.findall(r"<!-- (.*?) -->", figure.svg.read_text(encoding="utf-8"))
        assert "Measured on synthetic-tiny, protocol paper" in " ".join(comments)
        assert "its scores say nothing about the paper" in " ".join(comments)
    assert "Published: arXiv 2401.03000, Figure 4, measured on IEMOCAP-4." in found[0].caption
    assert "not in the paper" in found[1].caption


def test_the_same_runs_give_the_same_bytes(smoke, monkeypatch, folder):
    results = collect.tables(smoke)
    first = {path: path.read_bytes() for figure in figures.write(smoke, results, folder) for path in _files(figure)}
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1")
    # Other settings of matplotlib have no effect, and are kept.
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red", "svg.hashsalt": "x"}):
        second = figures.write(smoke, results, folder)
        assert matplotlib.rcParams["font.size"] == 30 and matplotlib.rcParams["svg.hashsalt"] == "x"
    assert {path: path.read_bytes() for figure in second for path in _files(figure)} == first
    for path, content in first.items():
        for word in ("Software", "dc:date", "dc:creator", matplotlib.__version__):
            assert word.encode() not in content, (path, word)


def _files(figure):
    return figure.png, figure.svg


def test_figures_of_a_row_that_lacks_a_stream_are_left_out(smoke, folder):
    (result,) = collect.tables(smoke)
    without = {"needs": {"COGMEN-Mask": ("hubert",)}, "rows": {**result.rows, "COGMEN-Mask": {}}}
    assert figures.write(smoke, [replace(result, **without)], folder) == []
    # COGMEN-AV is in no figure that needs table2 alone.
    without = {"needs": {"COGMEN-AV": ("hubert",)}, "rows": {**result.rows, "COGMEN-AV": {}}}
    found = {"table2": replace(result, **without)}
    names = [drawing.name for drawing in definitions.load() if panels.find(drawing, smoke, found)]
    assert names == ["figure4", "per-class-f1"]


def test_without_its_table_nothing_is_drawn(smoke, folder):
    assert figures.write(smoke, [], folder) == [] and not folder.exists()


def test_curves_and_embeddings_of_saved_runs(smoke, figures_toml, monkeypatch, folder):
    cells = ("table2/COGMEN-AV/AV", "table2/COGMEN-A/A")
    figures_toml(section("lines", "curves", cells) + section("dots", "embedding", cells))
    drawn = []
    render = plotting.render
    monkeypatch.setattr(plotting, "render", lambda figure: drawn.append(figure) or render(figure))
    lines, dots = figures.write(smoke, collect.tables(smoke), folder)
    assert (lines.name, dots.name) == ("lines", "dots") and lines.png.exists() and dots.svg.exists()
    assert "n = 2 seeds." in lines.caption and "seed 24 alone." in dots.caption
    table = smoke.plan.tables[0]
    row = next(row for row in table.rows if row.name == "COGMEN-A")
    records = [run.record for run in smoke.of_row(table, row)]
    mean, best = drawn[0].axes[-1].lines
    assert mean.get_ydata() == pytest.approx(np.mean([[e.dev_f1 for e in r.curve] for r in records], 0))
    assert best.get_xdata().tolist() == [record.best_epoch for record in records]
    teacher, student = drawn[1].axes
    assert teacher.get_xlim() == student.get_xlim() and teacher.get_ylim() == student.get_ylim()
    truth = np.concatenate([dialogue.labels for dialogue in smoke.plan.corpus.split("test")])
    for axis in (teacher, student):
        assert [len(line.get_xdata()) for line in axis.lines] == np.bincount(truth, minlength=4).tolist()
        places = np.concatenate([line.get_xydata() for line in axis.lines])
        assert len(np.unique(places, axis=0)) > len(truth) // 2
    centre = np.concatenate([line.get_xydata() for line in teacher.lines]).mean(0)
    assert centre == pytest.approx([0, 0], abs=1e-6)
    assert re.fullmatch(r"component 1 \(\d+ % of the variance\)", teacher.get_xlabel())
    assert [text.get_text() for text in student.get_legend().get_texts()] == list(smoke.plan.corpus.labels)


@pytest.mark.parametrize("context", ["A", "AV"])
def test_the_saved_predictions_follow_from_the_embeddings(smoke, context):
    (result,) = collect.tables(smoke)
    row = next(row for row in result.table.rows if row.name == "COGMEN-AV")
    shown = panels.PanelRuns("T", smoke, result, row, context)
    run = shown.runs()[0]
    found = torch.from_numpy(embedding._embeddings(shown, run)).float()
    assert found.shape[1] == 700
    with torch.no_grad():
        again = run.model().clf(found, SeedBatch.one(1, len(found), found.device))
    assert again.numpy() == pytest.approx(run.log_prob("test", context), abs=1e-5)


def test_both_files_or_none(smoke, folder):
    (folder / "figure4.svg").mkdir(parents=True)
    with pytest.raises(CannotWrite, match=r"figure4\.svg"):
        figures.write(smoke, collect.tables(smoke), folder)
    assert [path.name for path in folder.iterdir()] == ["figure4.svg"]


def test_importing_the_package_does_not_import_matplotlib():
    code = "import sys, replicate.cli, replicate.report.figures; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_scatter_needs_the_tables_of_both_axes(smoke, folder, figures_toml):
    across = 'series = "x", across = "{}", title = "table2'
    drawn = []
    for cell in ("table2/COGMEN-AV/AV", "table1/same: teacher [4, 7]/AV"):
        figures_toml(section(kind="scatter").replace('title = "table2', across.format(cell)))
        drawn.append([figure.name for figure in figures.write(smoke, collect.tables(smoke), folder)])
    assert drawn == [["one"], []]
