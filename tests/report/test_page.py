"""The page as text: its content, no external resources, and names that cannot inject HTML."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser

import pytest

from replicate.config.tables import Companion
from replicate.errors import CannotWrite
from replicate.report import claims, page, sections

from . import builders
from .builders import NASTY, OTHER, claim, drawn, manifest, outputs, result, table

VOID = {"meta", "link", "img", "br", "hr", "input"}


class Page(HTMLParser):
    """A parsed page; complains where elements are not nested as they should be.

    Attributes:
        elements: (tag, attributes, text inside) of everything, in the order of the end tags.
    """

    def __init__(self, source):
        super().__init__(convert_charrefs=True)
        self.open, self.elements, self.source = [], [], source
        self.feed(source)
        self.close()
        assert not self.open, f"never closed: {[tag for tag, *_ in self.open]}"

    def handle_starttag(self, tag, attrs):
        assert len(dict(attrs)) == len(attrs), f"attribute twice in {tag}"
        element = (tag, dict(attrs), [], tuple(parent[1].get("id") for parent in self.open if parent[1].get("id")))
        if tag in VOID:
            self.elements.append(element)
        else:
            self.open.append(element)

    def handle_endtag(self, tag):
        assert self.open and self.open[-1][0] == tag, f"</{tag}> closes {self.open[-1][0] if self.open else 'nothing'}"
        self.elements.append(self.open.pop())

    def handle_data(self, data):
        for element in self.open:
            element[2].append(data)

    def all(self, tag, inside=None):
        """(attributes, text) of all elements of a tag, inside the element of an id."""
        return [
            (attributes, " ".join("".join(data).split()))
            for found, attributes, data, above in self.elements
            if found == tag and (inside is None or inside in above)
        ]

    def grids(self, inside):
        """Cells of all tables inside the element of an id, line by line."""
        grids, grid, line = [], [], []
        for tag, _, data, above in self.elements:
            if inside not in above:
                continue
            if tag in ("th", "td"):
                line.append("".join(data))
            elif tag == "tr":
                grid.append(line)
                line = []
            elif tag == "table":
                grids.append(grid)
                grid = []
        return grids

    @property
    def words(self):
        return " ".join("".join(next(data for tag, _, data, _ in self.elements if tag == "body")).split())


def written(folder, results=None, judged=(), figures=(), **fields):
    made = outputs(folder, results, judged)
    path = page.write(made, figures, manifest(made.results, **fields))
    assert path == folder / "index.html"
    return Page(path.read_text(encoding="utf-8"))


CLAIMS = (
    claim(2, "second", "reproduced", True, True),
    claim(5, "fifth", "contradicted", True, False),
    claim(7, "seventh", "undecided", None),
    claim(9, "ninth", None, None, measured=False),
)


@pytest.mark.parametrize("verdict", [None, "inside", "outside", "untestable"])
def test_every_cell_of_every_table_is_where_the_other_files_have_it(tmp_path, verdict):
    results = [result(verdict=verdict), result(table("table3", ("x", "y", "z"), in_paper=False), verdict=verdict)]
    found = written(tmp_path, results)
    for each in results:
        measured, compared = found.grids(f"table-{each.table.name}")
        assert measured == [sections.scores(each).titles, *sections.scores(each).lines]
        assert compared == [sections.differences(each).titles, *sections.differences(each).lines]
        assert [words for _, words in found.all("li", f"table-{each.table.name}")] == sections.conditions(each)
        assert sections.difference_conditions(each) in found.words
    # One literal, so that the test does not rest on sections.py alone.
    assert found.grids("table-table2")[0][1][:4] == ["COGMEN-A", "2", "0.125 ± 0.250", "0.625"]
    assert (verdict or "without a verdict") in found.words


def test_a_companion_table_and_rows_that_need_a_stream(tmp_path):
    both = table(rows=("COGMEN-A", "HuBERT"), companion=Companion("table3", "full graph"))
    other = {"COGMEN-A": {"A": builders.cell(0.25, 0.5)}}
    rows = {"COGMEN-A": {"A": builders.cell(0.5, 0.625)}, "HuBERT": {}}
    (grid,) = written(
        tmp_path, [result(both, rows=rows, companion=other, needs={"HuBERT": ("hubert",)}, comparisons=())]
    ).grids("table-table2")
    paper = "IEMOCAP-4, paper, other features"
    assert grid[0][2:6] == ["A inference", paper, "A, full graph", f"{paper}, full graph"]
    assert grid[1][2:6] == ["0.500 ± 0.250", "0.625", "0.250 ± 0.250", "0.500"]
    assert grid[2][1:4] == ["–", "needs the hubert stream", "0.625"]


def test_numbers_of_a_claim_and_its_outcome_in_words(tmp_path):
    found = written(tmp_path, judged=CLAIMS)
    states = {2: ["holds", "holds"], 5: ["holds", "fails"], 7: ["open"], 9: ["not measured"]}
    for each in CLAIMS:
        (grid,) = found.grids(f"claim-{each.claim.number}")
        assert [line[-2] for line in grid[1:]] == states[each.claim.number]
        assert grid == [claims.statements(each).titles, *claims.statements(each).lines]
    titles = [words for attributes, words in found.all("h3") if attributes.get("id", "").startswith("claim-")]
    assert titles == [
        "2. second ✓ reproduced",
        "5. fifth ✗ contradicted",
        "7. seventh ? undecided",
        "9. ninth – not all of its cells are measured",
    ]
    assert [words for _, words in found.all("li", "summary")] == [title[3:] for title in titles]
    assert [attributes["value"] for attributes, _ in found.all("li", "summary")] == ["2", "5", "7", "9"]
    assert (
        "Of 4 claims that rest on these tables: 1 reproduced, 1 contradicted, 1 undecided, 1 incomplete." in found.words
    )
    for sentence in claims.conditions(builders.RULE, result()):
        assert sentence in found.words


def test_a_page_without_claims_and_figures_names_both_and_links_to_neither(tmp_path):
    found = written(tmp_path)
    assert "None of the paper's claims rests on these tables alone." in found.words
    assert not found.all("figure") and not found.all("img")
    assert {"#claims", "#figures"}.isdisjoint(attributes["href"] for attributes, _ in found.all("a"))


@pytest.mark.parametrize("judged", [(), CLAIMS[:1], CLAIMS])
@pytest.mark.parametrize("figures", [0, 2])
def test_anchors_lead_somewhere_and_ids_are_there_once(tmp_path, judged, figures):
    results = [result(), result(table("protocol"))]
    made = [drawn(tmp_path, f"figure{i}") for i in range(figures)]
    found = written(tmp_path, results, judged, made)
    ids = [attributes["id"] for _, attributes, *_ in found.elements if "id" in attributes]
    assert len(set(ids)) == len(ids)
    anchors = [attributes["href"][1:] for attributes, _ in found.all("a") if attributes["href"].startswith("#")]
    assert {"table-table2", "table-protocol", "conditions", "summary"} <= set(anchors) <= set(ids)
    labelled = [
        attributes["aria-labelledby"] for _, attributes, *_ in found.elements if "aria-labelledby" in attributes
    ]
    assert labelled and set(labelled) <= set(ids)


def test_tables_are_accessible_to_screen_readers(tmp_path):
    found = written(tmp_path, judged=CLAIMS)
    assert all(attributes.get("scope") in ("col", "row") for attributes, _ in found.all("th"))
    tables, captions = found.all("table"), found.all("caption")
    assert len(tables) == len(captions) == 2 + len(CLAIMS) and all(words for _, words in captions)
    (html,) = found.all("html")
    assert html[0] == {"lang": "en"} and len(found.all("h1")) == len(found.all("main")) == len(found.all("nav")) == 1
    assert found.all("title")[0][1] == "Bridging Modalities, replicated on iemocap4"


def test_nothing_is_loaded_and_nothing_is_run(tmp_path):
    found = written(tmp_path, judged=CLAIMS, figures=[drawn(tmp_path)])
    for tag, attributes, data, _ in found.elements:
        assert tag not in {"script", "iframe", "object", "embed", "base", "form", "video", "audio", "source", "use"}
        assert not [name for name in attributes if name.startswith("on") or name in ("srcset", "style", "background")]
        assert attributes.get("src", "data:").startswith("data:")
        href = attributes.get("href", "#")
        assert href.startswith("#") or (tag == "link" and href == "data:,") or (tag == "a" and "arxiv.org" in href)
        if tag == "style":
            assert not re.search(r"url\(|@import|@font-face|http", "".join(data))
    # Files of the page's folder are not loaded either: the page can be sent as a single file.
    (policy,) = [a["content"] for a, _ in found.all("meta") if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy.split("; ")[:2] == ["default-src 'none'", "img-src data:"]
    assert not re.search(r"https?://(?!arxiv\.org)", found.source)


def test_names_cannot_inject_html(tmp_path):
    of = table(rows=(NASTY, NASTY + "2"))
    made = result(of, corpus=NASTY, notes=(NASTY,), protocol=NASTY)
    judged = [claim(1, NASTY, "undecided", None)]
    found = written(tmp_path, [made], judged, [drawn(tmp_path, "f", NASTY, NASTY)], command=NASTY)
    assert not found.all("script") and "<script" not in found.source
    measured, compared = found.grids("table-table2")
    assert [line[0] for line in measured[1:]] == [NASTY, NASTY + "2"]
    assert compared[1][:2] == [f"{NASTY}/A", f"{NASTY}2/A"]
    assert found.grids("claim-1")[0][1][2] == f"table2/{NASTY}-0/A"
    (image,) = found.all("img")
    assert image[0]["alt"] == NASTY
    for tag in ("title", "h2", "h3", "figcaption", "code", "dd", "aside"):
        assert any(NASTY in words for _, words in found.all(tag)), tag


def test_the_banner_of_other_features(tmp_path):
    ((_, words),) = written(tmp_path).all("aside")
    assert words.startswith("No replication of the published scores")
    assert OTHER[1:] in words and "IEMOCAP-4 with other features: they are shown for orientation only" in words
    own = {"published_for": "release", "folds": ("1", "2"), "divided": "2"}
    assert "IEMOCAP-4 with other splits: they are shown" in written(tmp_path, [result(**own)]).words


def test_the_banner_of_other_corpora(tmp_path):
    own = {"corpus": "iemocap4", "notes": ()}
    assert not written(tmp_path, [result(verdict="inside", **own)]).all("aside")
    ((_, words),) = written(tmp_path, [result(verdict="inside", corpus="iemocap4", notes=("a fact",))]).all("aside")
    assert words == "About this corpus A fact."
    ((_, words),) = written(tmp_path, [result(corpus="mosi", notes=(), published_for="")]).all("aside")
    assert words == (
        "No replication of the published scores Published numbers were measured on IEMOCAP-4 and are not shown here."
    )
    # The page shows no published numbers, so it needs no warning.
    assert not written(tmp_path, [result(table("protocol", in_paper=False), **own)]).all("aside")


def test_a_figure_is_embedded_in_the_page(tmp_path):
    figure = drawn(tmp_path, title="What it is", caption="What it shows.")
    found = written(tmp_path, figures=[figure])
    ((attributes, _),) = found.all("img")
    kind, _, content = attributes["src"].partition(";base64,")
    assert kind == "data:image/svg+xml" and base64.b64decode(content) == figure.svg.read_bytes()
    assert attributes["alt"] == "What it is"
    assert found.all("figcaption") == [({}, "What it is What it shows.")]


def test_a_large_figure_is_embedded_as_png(tmp_path, monkeypatch):
    figure = drawn(tmp_path)
    monkeypatch.setattr(page, "_LARGEST_SVG", figure.svg.stat().st_size - 1)
    ((attributes, _),) = written(tmp_path, figures=[figure]).all("img")
    kind, _, content = attributes["src"].partition(";base64,")
    assert kind == "data:image/png" and base64.b64decode(content) == figure.png.read_bytes()


def test_a_figure_whose_files_are_missing_keeps_its_caption(tmp_path):
    figure = drawn(tmp_path, caption="What it shows.")
    figure.svg.unlink()
    figure.png.unlink()
    found = written(tmp_path, figures=[figure])
    assert not found.all("img") and "are missing" in found.all("figure")[0][1] and "What it shows." in found.words


def test_conditions_of_the_run(tmp_path):
    found = written(tmp_path)
    names, values = ([words for _, words in found.all(tag, "conditions")] for tag in ("dt", "dd"))
    conditions = dict(zip(names, values, strict=True))
    assert conditions == {
        "tables": "table2",
        "corpus": "iemocap4",
        "corpus hash": "0123456789abcdef" * 4,
        "protocol": "paper",
        "profile": "smoke",
        "privileged streams": "visual",
        "seeds": "24, 25",
        "runs": "3",
        "device": "cpu, 2 at a time",
        "wall time": "12.3 s in the last command",
        "training time": "2 h 03 min, sum of all runs",
        "processor": "Processor 2, 8 cores",
        "system": "System 1",
        "code": "commit 0123456789ab, with changes that were not committed",
        "builds": "MKL 2024.2, threads 1",
        "replicate": "0.1.0",
        "python": "3.12.1",
        "onnx": "not installed",
    }
    assert [words for _, words in found.all("pre")] == ["replicate run table2 --data 'a & b'"]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.0, "0.0 s"), (89.9, "89.9 s"), (90, "2 min"), (5369, "89 min"), (5400, "1 h 30 min"), (36061, "10 h 01 min")],
)
def test_durations(seconds, words):
    assert page._duration(seconds) == words


def test_a_page_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch):
    written(tmp_path)
    before = (tmp_path / "index.html").read_bytes()
    monkeypatch.setattr("pathlib.Path.replace", lambda *_: (_ for _ in ()).throw(PermissionError(13, "denied")))
    with pytest.raises(CannotWrite, match=r"index\.html"):
        written(tmp_path, judged=CLAIMS)
    assert (tmp_path / "index.html").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["index.html"]
