import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace
from types import SimpleNamespace

import matplotlib
import numpy as np
import pytest
import torch
from matplotlib.image import imread
from sklearn.metrics import confusion_matrix

from replicate import plotting as canvas
from replicate.config import figures as definitions
from replicate.config import folders
from replicate.corpus.synthetic import NOTE
from replicate.errors import CannotWrite, InvalidDefinition
from replicate.experiment.campaign import Campaign
from replicate.experiment.collect import tables
from replicate.model.seed_layers import SeedBatch
from replicate.report import figures
from replicate.report.figures import classes, confusion, curves, embedding, logged, panels
from replicate.results.statistics import summarise

NAMES = ("happy", "sad", "angry")
FRAME = canvas.Frame("Title", "Footer.")


def scores(predicted, number=3):
    """Log-probabilities whose largest is at ``predicted``."""
    return np.eye(number, dtype=np.float32)[predicted]


def run(labels, predicted, curve=(), best=1):
    """What a figure reads of a stored run."""
    record = SimpleNamespace(curve=[SimpleNamespace(**epoch) for epoch in curve], best_epoch=best)
    return SimpleNamespace(
        labels=lambda split: np.array(labels), log_prob=lambda split, context: scores(predicted), record=record
    )


def part(*runs, by_class=((0.5, 0.25, 0.0),), names=NAMES, title="Some arm"):
    cell = SimpleNamespace(summary=summarise([0.5]), by_class=by_class)
    return SimpleNamespace(title=title, context="A", classes=names, runs=lambda: list(runs), cell=cell)


@pytest.fixture
def finished(smoke_out, tmp_path, monkeypatch):
    """A finished campaign of table2 whose figures go elsewhere."""
    monkeypatch.setattr(Campaign, "folder", property(lambda self: tmp_path / "results"))
    return Campaign.prepare(["table2"], "smoke", "paper", None, None, None, "cpu", 1, smoke_out)


@pytest.fixture
def figures_toml(tmp_path, monkeypatch):
    """Puts another text in place of ``figures.toml``."""

    def put(text):
        folder = tmp_path / "tables"
        shutil.copytree(folders.packaged(), folder)
        (folder / "figures.toml").write_text(text)
        monkeypatch.setattr(folders, "packaged", lambda: folder)

    return put


def section(name="one", kind="confusion", cells=("table2/COGMEN-A/A",), more=""):
    panels = ", ".join(f'{{ cell = "{cell}", title = "{cell}" }}' for cell in cells)
    return f'[{name}]\nkind = "{kind}"\ntitle = "T"\ncaption = "C."\npanels = [{panels}]\n{more}\n'


# What is counted.


def logging(*epochs):
    """A run whose method of distillation logged this."""
    return run([0], [0], [{"terms": terms} for terms in epochs])


def test_what_a_method_logs_is_drawn_by_epoch():
    first = logging({"chosen eye": 0.5, "chosen ear": 0.5, "nll": 3.0}, {"chosen eye": 1.0, "chosen ear": 0.0})
    second = logging({"chosen eye": 0.0, "chosen ear": 1.0}, {"chosen eye": 1.0})
    found = logged.values([first, second], "chosen ")
    assert list(found) == ["eye", "ear"] and found["eye"].tolist() == [[0.5, 1], [0, 1]]
    assert found["ear"][0].tolist() == [0.5, 0] and found["ear"][1][0] == 1 and np.isnan(found["ear"][1][1])
    each = part(first, second, title="Which")
    each.prefix = "chosen "
    drawn = logged.draw([each, each, each], FRAME)
    axes = drawn.axes
    assert [axis.get_title() for axis in axes] == ["Which"] * 3 + [""]
    eye, ear = axes[0].lines
    assert eye.get_ydata().tolist() == [0.25, 1] and ear.get_ydata().tolist() == [0.75, 0]
    assert eye.get_xdata().tolist() == [1, 2] and eye.get_marker() != ear.get_marker()
    assert [text.get_text() for text in drawn.legends[0].get_texts()] == ["eye", "ear"]
    assert axes[0].get_ylim() == (0, 1.02)


def test_counts_have_true_classes_in_rows_and_predicted_ones_in_columns():
    labels, predicted = [0, 0, 0, 0, 1, 1], [0, 0, 0, 2, 0, 1]
    found = confusion.counts(labels, scores(predicted), 3)
    assert found.tolist() == [[3, 0, 1], [1, 1, 0], [0, 0, 0]]
    assert found.tolist() == confusion_matrix(labels, predicted, labels=range(3)).tolist()


def test_shares_are_of_the_true_class():
    found = confusion.shares(np.array([[3, 0, 1], [1, 1, 0], [0, 0, 0]]))
    assert found.tolist() == [[0.75, 0, 0.25], [0.5, 0.5, 0], [0, 0, 0]]


def test_counts_of_all_seeds_are_summed_each_with_the_labels_of_its_own_run():
    first, second = run([0, 0, 1], [0, 1, 1]), run([2, 0, 1], [2, 0, 0])
    assert confusion.summed(part(first, second)).tolist() == [[2, 1, 0], [1, 1, 0], [0, 0, 1]]


# What is drawn.


def test_a_matrix_shows_counts_and_shares_in_the_order_of_the_classes():
    figure = confusion.draw([part(run([0, 0, 0, 0, 1, 1], [0, 0, 0, 2, 0, 1])), part(run([0, 1], [1, 1]))], FRAME)
    first, second = figure.axes
    assert [text.get_text() for text in first.texts] == [
        *("3\n75 %", "0\n0 %", "1\n25 %"),
        *("1\n50 %", "1\n50 %", "0\n0 %"),
        *("0\n–", "0\n–", "0\n–"),
    ]
    assert first.images[0].get_array().tolist() == [[0.75, 0, 0.25], [0.5, 0.5, 0], [0, 0, 0]]
    for axis in (first, second):
        assert [text.get_text() for text in axis.get_xticklabels()] == list(NAMES)
    assert [text.get_text() for text in first.get_yticklabels()] == list(NAMES)
    assert first.get_ylim() == (2.5, -0.5)  # the first class on top
    assert (first.get_ylabel(), first.get_xlabel()) == ("true class", "predicted class")
    assert first.get_title() == "Some arm\nweighted F1 0.500 (1 seed)"


def test_black_numbers_stand_out_on_every_shade_and_more_is_darker_in_grey():
    figure = confusion.draw([part(run([0], [0]))], FRAME)
    colours = figure.axes[0].images[0].to_rgba(np.linspace(0, 1, 101))[:, :3]
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    luminance = linear @ (0.2126, 0.7152, 0.0722)
    assert ((luminance + 0.05) / 0.05).min() > 6
    assert (np.diff(luminance) < 0).all() and luminance[0] > 0.9


def test_curves_are_means_and_bands_over_seeds_with_the_chosen_epochs():
    keys = ("train_loss", "dev_loss", "dev_f1")
    seeds = [
        run([0], [0], [dict.fromkeys(keys, value) for value in values], best)
        for values, best in (((3.0, 2.0, 1.0), 3), ((5.0, 2.5, 2.0), 1))
    ]
    assert curves.values(seeds, "dev_loss").tolist() == [[3.0, 2.0, 1.0], [5.0, 2.5, 2.0]]
    figure = curves.draw([part(*seeds), part(*seeds)], FRAME)
    assert [axis.get_ylabel() for axis in figure.axes[::2]] == ["train loss", "dev loss", "dev weighted F1"]
    for axis in figure.axes:
        mean, best = axis.lines
        assert (mean.get_xdata().tolist(), mean.get_ydata().tolist()) == ([1, 2, 3], [4.0, 2.25, 1.5])
        assert (best.get_xdata().tolist(), best.get_ydata().tolist()) == ([3, 1], [1.0, 5.0])
        (band,) = axis.collections
        assert {tuple(point) for point in band.get_paths()[0].vertices} == {
            *((1, 3), (2, 2), (3, 1)),
            *((1, 5), (2, 2.5), (3, 2)),
        }


def test_f1_by_class_has_means_deviations_and_seeds():
    figure = classes.draw([part(by_class=((0.25, 0.5, 0.0), (0.75, 0.5, 0.5))), part(title="Other")], FRAME)
    (axis,) = figure.axes
    first, second = axis.containers
    assert first.lines[0].get_ydata().tolist() == [0.5, 0.5, 0.25]
    spread = [np.ptp(bar[:, 1]) / 2 for bar in first.lines[2][0].get_segments()]
    assert spread == pytest.approx([0.125**0.5, 0, 0.125**0.5])
    assert second.lines[0].get_ydata().tolist() == [0.5, 0.25, 0.0] and not second.has_yerr  # one seed has no spread
    assert [text.get_text() for text in axis.get_xticklabels()] == list(NAMES)
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["Some arm", "Other"]
    marks = [container.lines[0] for container in axis.containers]
    assert len({mark.get_marker() for mark in marks}) == len({mark.get_color() for mark in marks}) == 2
    # Seeds of the first cell: one line per class, the seeds beside each other.
    seeds = [line.get_ydata().tolist() for line in axis.lines if line.get_markersize() < 3]
    assert seeds == [[0.25, 0.75], [0.5, 0.5], [0.0, 0.5]]


def test_embeddings_are_placed_on_the_axes_of_the_first():
    rng = np.random.default_rng(0)
    base = np.linalg.qr(rng.standard_normal((5, 5)))[0]
    first = rng.standard_normal((50, 5)) * (4, 2, 0.1, 0.1, 0.1) @ base + 3
    second = rng.standard_normal((50, 5)) * (0.1, 2, 0.1, 0.1, 4) @ base + 3
    projection = embedding.Projection.of(first)
    places = projection(first)
    assert places.mean(0) == pytest.approx([0, 0], abs=1e-9)
    left, sizes, _ = np.linalg.svd(first - first.mean(0), full_matrices=False)
    assert np.abs(places) == pytest.approx(np.abs(left * sizes)[:, :2])  # up to a sign
    assert projection.shares(first) == pytest.approx(sizes[:2] ** 2 / (sizes**2).sum())
    # Most of the second's variance lies where the first has none.
    assert projection.shares(second)[0] < 0.05 and projection.shares(second).sum() < 0.3


def test_a_single_utterance_has_a_place():
    one = np.ones((1, 4))
    projection = embedding.Projection.of(one)
    assert projection(one).tolist() == [[0, 0]] and projection.shares(one).tolist() == [0, 0]


def test_names_that_look_like_formulas_or_go_on_and_on():
    names = ("$x^$", "a_b & <c>", "the longest name of an emotion there is, number 1")
    with canvas.style("any"):
        content = canvas.render(confusion.draw([part(run([0], [0]), names=names)], FRAME))
    assert b"$x^$" in content["svg"]
    ET.fromstring(content["svg"])
    assert canvas.short(names[2]) == "the lon…mber 1" and canvas.short("frustrated") == "frustrated"


# What is written.


def test_of_table2_alone_its_own_figures_are_drawn(finished):
    found = figures.write(finished, tables(finished))
    assert [figure.name for figure in found] == ["figure4", "per-class-f1"]
    folder = finished.folder / "figures"
    assert sorted(path.name for path in folder.iterdir()) == [
        *("figure4.png", "figure4.svg", "per-class-f1.png", "per-class-f1.svg")
    ]
    for figure in found:
        assert (figure.png, figure.svg) == (folder / f"{figure.name}.png", folder / f"{figure.name}.svg")
        assert "synthetic-tiny" in figure.title
        for sentence in (
            "Measured on synthetic-tiny, protocol paper, profile smoke, n = 2 seeds.",
            f"{NOTE[0].upper()}{NOTE[1:]}.",
        ):
            assert sentence in figure.caption
        height, width, _ = imread(figure.png).shape
        assert width > 900 and height > 500
        root = ET.parse(figure.svg).getroot()
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        # Text is drawn as outlines; what it says stands in comments.
        comments = re.findall(r"<!-- (.*?) -->", figure.svg.read_text(encoding="utf-8"))
        assert "Measured on synthetic-tiny, protocol paper" in " ".join(comments)
        assert "no replication of the published" in " ".join(comments)
    assert "Published: arXiv 2401.03000, Figure 4, measured on IEMOCAP-4." in found[0].caption
    assert "not in the paper" in found[1].caption


def test_the_same_runs_give_the_same_bytes(finished, monkeypatch):
    results = tables(finished)
    first = {path: path.read_bytes() for figure in figures.write(finished, results) for path in _files(figure)}
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1")
    # Another's settings neither show nor get lost.
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red", "svg.hashsalt": "x"}):
        second = figures.write(finished, results)
        assert matplotlib.rcParams["font.size"] == 30 and matplotlib.rcParams["svg.hashsalt"] == "x"
    assert {path: path.read_bytes() for figure in second for path in _files(figure)} == first
    for path, content in first.items():
        for word in ("Software", "dc:date", "dc:creator", matplotlib.__version__):
            assert word.encode() not in content, (path, word)


def _files(figure):
    return figure.png, figure.svg


def test_a_row_that_lacks_a_stream_takes_its_figures_along(finished):
    (result,) = tables(finished)
    without = {"needs": {"COGMEN-Mask": ("hubert",)}, "rows": {**result.rows, "COGMEN-Mask": {}}}
    assert figures.write(finished, [replace(result, **without)]) == []
    # COGMEN-AV is in no figure that needs table2 alone.
    without = {"needs": {"COGMEN-AV": ("hubert",)}, "rows": {**result.rows, "COGMEN-AV": {}}}
    found = {"table2": replace(result, **without)}
    names = [drawing.name for drawing in definitions.load() if panels.find(drawing, finished, found)]
    assert names == ["figure4", "per-class-f1"]


def test_without_its_table_nothing_is_drawn(finished):
    assert figures.write(finished, []) == [] and not (finished.folder / "figures").exists()


def test_curves_and_embeddings_of_stored_runs(finished, figures_toml, monkeypatch):
    cells = ("table2/COGMEN-AV/AV", "table2/COGMEN-A/A")
    figures_toml(section("lines", "curves", cells) + section("dots", "embedding", cells))
    drawn = []
    render = canvas.render
    monkeypatch.setattr(canvas, "render", lambda figure: drawn.append(figure) or render(figure))
    lines, dots = figures.write(finished, tables(finished))
    assert (lines.name, dots.name) == ("lines", "dots") and lines.png.exists() and dots.svg.exists()
    assert "n = 2 seeds." in lines.caption and "seed 24 alone." in dots.caption
    table = finished.tables[0]
    row = next(row for row in table.rows if row.name == "COGMEN-A")
    records = [stored.record for stored in finished.runs(table, row)]
    mean, best = drawn[0].axes[-1].lines
    assert mean.get_ydata() == pytest.approx(np.mean([[e.dev_f1 for e in r.curve] for r in records], 0))
    assert best.get_xdata().tolist() == [record.best_epoch for record in records]
    teacher, student = drawn[1].axes
    assert teacher.get_xlim() == student.get_xlim() and teacher.get_ylim() == student.get_ylim()
    truth = np.concatenate([dialogue.labels for dialogue in finished.corpus.split("test")])
    for axis in (teacher, student):
        assert [len(line.get_xdata()) for line in axis.lines] == np.bincount(truth, minlength=4).tolist()
        places = np.concatenate([line.get_xydata() for line in axis.lines])
        assert len(np.unique(places, axis=0)) > len(truth) // 2
    centre = np.concatenate([line.get_xydata() for line in teacher.lines]).mean(0)
    assert centre == pytest.approx([0, 0], abs=1e-6)
    assert re.fullmatch(r"component 1 \(\d+ % of the variance\)", teacher.get_xlabel())
    assert [text.get_text() for text in student.get_legend().get_texts()] == list(finished.corpus.labels)


@pytest.mark.parametrize("context", ["A", "AV"])
def test_the_embeddings_are_those_that_the_stored_predictions_came_from(finished, context):
    (result,) = tables(finished)
    row = next(row for row in result.table.rows if row.name == "COGMEN-AV")
    shown = panels.PanelRuns("T", finished, result, row, context)
    stored = shown.runs()[0]
    found = torch.from_numpy(embedding._embeddings(shown, stored)).float()
    assert found.shape[1] == 700
    with torch.no_grad():
        again = stored.model().clf(found, SeedBatch.one(1, len(found), found.device))
    assert again.numpy() == pytest.approx(stored.log_prob("test", context), abs=1e-5)


def test_both_files_or_none(finished):
    folder = finished.folder / "figures"
    (folder / "figure4.svg").mkdir(parents=True)
    with pytest.raises(CannotWrite, match=r"figure4\.svg"):
        figures.write(finished, tables(finished))
    assert [path.name for path in folder.iterdir()] == ["figure4.svg"]


# The file.


def test_the_shipped_file():
    found = {drawing.name: drawing for drawing in definitions.load()}
    assert list(found) == [
        *("figure3", "figure4", "figure5", "figure6", "learning-curves", "per-class-f1", "embedding"),
        *("chosen-teachers", "edges", "chosen-for-utterances", "free-edges"),
    ]
    assert [(name, drawing.tables) for name, drawing in found.items() if name.startswith("figure")] == [
        ("figure3", ("table1",)),
        ("figure4", ("table2",)),
        ("figure5", ("table4",)),
        ("figure6", ("table5",)),
    ]
    assert found["learning-curves"].tables == ("table2", "table1")
    assert found["figure3"].panels[1].split() == ("table1", "same: student [4, 7]", "A")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (section(more="colour = 1"), r"figures\.toml \[one\]: unknown key 'colour'"),
        (section(kind="pie"), r"figures\.toml \[one\], key 'kind': 'pie' is none of 'confusion'"),
        (section(cells=()), r"figures\.toml \[one\]: a figure needs panels"),
        (section(cells=("table9/COGMEN-A/A",)), r"\[one\], panel 1: unknown table 'table9': did you mean"),
        (section(cells=("table2/COGMEN-A/A", "table2/COGMEN-B/A")), r"panel 2: unknown cell of table2 'COGMEN-B/A'"),
        (section(cells=("table2/COGMEN-A/AV",)), r"panel 1: unknown cell of table2 'COGMEN-A/AV'"),
        (section(cells=("table2",)), r"panel 1: unknown cell of table2 '/'"),
        (section().replace("cell =", "sell ="), r"\[one\], panel 1: unknown key 'sell': did you mean cell"),
        (section().replace("caption", "# caption"), r"figures\.toml \[one\]: key 'caption' is missing"),
        (section(name="'../one'"), r"figures\.toml \[\.\./one\]: names become file names"),
        (section(kind="curves", cells=("table2/COGMEN-AV/A",)), r"panel 1: context A, but the epoch is selected at AV"),
        (
            section(kind="embedding", cells=("table2/COGMEN-A/A", "table1/fewer GNN heads: student [4, 3]/A")),
            r"panel 2: its embedding is not as wide",
        ),
        (section(kind="logged"), r"panel 1: prefix is for kind 'logged'"),
        (
            section().replace('title = "table2', 'prefix = "x", title = "table2'),
            r"panel 1: prefix is for kind 'logged'",
        ),
        (
            section(kind="logged").replace('title = "table2', 'prefix = "x", title = "table2'),
            r"panel 1: COGMEN-A has no distillation method",
        ),
        ("one = 1", r"figures\.toml \[one\]: 1 is no section"),
        ("[one", r"figures\.toml: not valid TOML"),
    ],
)
def test_what_is_wrong_in_the_file_is_named(figures_toml, text, message):
    figures_toml(text)
    with pytest.raises(InvalidDefinition, match=message):
        definitions.load()


def test_who_draws_nothing_does_not_wait_for_matplotlib():
    code = "import sys, replicate.cli, replicate.report.figures; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
