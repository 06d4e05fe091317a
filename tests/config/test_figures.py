"""Loading ``figures.toml``: cells of panels, and mistakes that are named."""

import pytest

from replicate.config import figures as definitions
from replicate.errors import InvalidDefinition
from tests.figures_toml import section


@pytest.fixture
def figures_toml(tables_folder):
    """Replace the content of ``figures.toml``."""
    return lambda text: (tables_folder / "figures.toml").write_text(text, encoding="utf-8")


def test_every_packaged_figure_of_the_paper_names_its_source():
    for drawing in definitions.load():
        number = drawing.name.removeprefix("figure")
        assert drawing.source == (f"arXiv 2401.03000, Figure {number}" if number.isdigit() else "")


def test_names_in_a_cell():
    assert definitions.Panel("T", "table1/a/b: [4, 7]/AV").split() == ("table1", "a/b: [4, 7]", "AV")


def test_every_table_of_a_figure_is_named_once(figures_toml):
    figures_toml(section(cells=("table2/COGMEN-A/A", "table1/same: student [4, 7]/A", "table2/COGMEN-AV/A")))
    (drawing,) = definitions.load()
    assert drawing.tables == ("table2", "table1")


def test_tables_across_count_too(figures_toml):
    across = 'series = "x", across = "table1/same: teacher [4, 7]/AV", title = "table2'
    figures_toml(section(kind="scatter").replace('title = "table2', across))
    (drawing,) = definitions.load()
    assert drawing.tables == ("table2", "table1")


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
        (section(kind="scatter"), r"\[one\]: a scatter needs panels with across"),
        (
            section().replace('title = "table2', 'series = "x", title = "table2'),
            r"panel 1: across and series are for kind 'scatter'",
        ),
        (
            section(kind="scatter").replace('title = "table2', 'across = "table2/COGMEN-A/A", title = "table2'),
            r"panel 1: a point needs both across and series",
        ),
        (
            section(kind="scatter").replace(
                'title = "table2', 'series = "x", across = "table2/COGMEN-B/A", title = "table2'
            ),
            r"panel 1, across: unknown cell of table2 'COGMEN-B/A'",
        ),
        ("one = 1", r"figures\.toml \[one\]: 1 is not a section"),
        ("[one", r"figures\.toml: not valid TOML"),
    ],
)
def test_a_mistake_is_named(figures_toml, text, message):
    figures_toml(text)
    with pytest.raises(InvalidDefinition, match=message):
        definitions.load()
