import shutil

import pytest

from replicate.errors import BadSeeds, BadTable, UnknownTable
from replicate.experiment import definitions
from replicate.training.settings import Arm, Budget, Masking


@pytest.mark.parametrize(
    ("text", "seeds"),
    [
        ("24,25", (24, 25)),
        ("25,24", (25, 24)),
        ("3", (24, 25, 26)),
        ("1", (24,)),
        ("24,", (24,)),
        (" 7 , 0 ", (7, 0)),
        ("1000", tuple(range(24, 1024))),
        ("1001,", (1001,)),
    ],
)
def test_seeds(text, seeds):
    assert definitions.parse_seeds(text) == seeds


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        ",",
        "a",
        "24,a",
        "24,24",
        "024,24",
        "-1",
        "1.5",
        "24;25",
        "0",
        "1001",
        "٣",
        "²",
        "２,３",
        "1e3",
        "9" * 5000,
    ],
)
def test_what_is_no_list_of_seeds_is_refused(text):
    with pytest.raises(BadSeeds, match="24,25,26"):
        definitions.parse_seeds(text)


def test_the_shipped_files_load():
    tables = {name: definitions.table(name) for name in definitions.table_names()}
    assert "table2" in tables and not {"arms", "protocols", "profiles", "claims"} & set(tables)
    assert all(row.arm in definitions.arms() for table in tables.values() for row in table.rows)
    assert [definitions.profile(name).name for name in ("smoke", "quick", "paper")] == ["smoke", "quick", "paper"]


def test_values_of_the_paper_and_of_the_released_code():
    table = definitions.table("table2")
    assert {row.name: row.published for row in table.rows} == {
        "COGMEN-A": {"A": 0.636},
        "COGMEN-AV": {"A": 0.426, "AV": 0.645},
        "COGMEN-Mask": {"A": 0.662, "AV": 0.687},
    }
    arms = definitions.arms()
    assert arms["COGMEN-A"] == Arm("COGMEN-A", "A", ("A",), "A")
    assert arms["COGMEN-AV"] == Arm("COGMEN-AV", "AV", ("A", "AV"), "AV")
    assert arms["COGMEN-Mask"] == Arm("COGMEN-Mask", "AV", ("A", "AV"), "A", masked=True)
    paper, released = definitions.protocol("paper"), definitions.protocol("released")
    assert (paper.attend_padding, released.attend_padding) == (False, True)
    assert paper.masking == Masking("utterance", 0.1, 0.3, 0.3, 0.3, 0.2, 1)
    assert released.masking == Masking("batch", 0.0, 0.3, 0.3, 0.4, 0.2, 1)
    assert definitions.profile("paper").budget == Budget(55, 32, 1e-4, 1e-8)
    assert definitions.profile("paper").seeds[0] == 24


@pytest.fixture
def edit(tmp_path, monkeypatch):
    """Replace a part of one file of a copy of ``tables/`` that definitions then read."""
    folder = tmp_path / "tables"
    shutil.copytree(definitions.folder(), folder)
    monkeypatch.setattr(definitions, "folder", lambda: folder)

    def replace(name, old, new):
        path = folder / f"{name}.toml"
        content = path.read_text(encoding="utf-8")
        assert old in content
        path.write_text(content.replace(old, new, 1), encoding="utf-8")

    return replace


BAD = [
    # file, what is replaced, by what, what the message must name
    ("table2", "published", "publshed", ["table2.toml", "row 1", "'publshed'", "published"]),
    ("table2", 'arm = "COGMEN-A"', 'arm = "COGMEN-B"', ["table2.toml", "row 1", "'COGMEN-B'", "COGMEN-A"]),
    ("table2", 'arm = "COGMEN-A"', "", ["table2.toml", "row 1", "'arm'", "missing"]),
    ("table2", 'arm = "COGMEN-A"', "arm = 3", ["table2.toml", "row 1", "'arm'", "3"]),
    ("table2", "{ A = 0.636 }", "{ V = 0.636 }", ["table2.toml", "row 1", "'V'"]),
    ("table2", "{ A = 0.636 }", "{ AV = 0.636 }", ["table2.toml", "row 1", "'AV'"]),
    ("table2", "{ A = 0.636 }", '{ A = "0.636" }', ["table2.toml", "row 1", "'published'"]),
    ("table2", "{ A = 0.636 }", "{ A = true }", ["table2.toml", "row 1", "'published'"]),
    ("table2", 'contexts = ["A", "AV"]', 'contexts = ["A", "VA"]', ["table2.toml", "'VA'"]),
    ("table2", 'contexts = ["A", "AV"]', 'contexts = "A"', ["table2.toml", "'contexts'"]),
    ("table2", 'contexts = ["A", "AV"]', "", ["table2.toml", "'contexts'", "missing"]),
    ("table2", "title", "titel", ["table2.toml", "'titel'", "did you mean title"]),
    ("table2", "title", "title title", ["table2.toml"]),
    ("table2", 'name = "COGMEN-AV"', 'name = "COGMEN-A"', ["table2.toml", "'COGMEN-A'"]),
    ("arms", "masked = true", "maskd = true", ["arms.toml", "[COGMEN-Mask]", "'maskd'", "masked"]),
    ("arms", "masked = true", "masked = 1", ["arms.toml", "[COGMEN-Mask]", "'masked'"]),
    ("arms", "masked = true", "window = [5]", ["arms.toml", "[COGMEN-Mask]", "'window'", "2 values"]),
    ("arms", "masked = true", "window = [5, 0.5]", ["arms.toml", "[COGMEN-Mask]", "'window'"]),
    ("arms", 'train = "A"', "", ["arms.toml", "[COGMEN-A]", "'train'"]),
    ("arms", 'train = "A"', 'train = "audio"', ["arms.toml", "[COGMEN-A]", "'audio'"]),
    ("arms", 'train = "A"', 'train = "A"\nmasked = true', ["arms.toml", "[COGMEN-A]", "mask"]),
    ("arms", 'contexts = ["A"]', 'contexts = ["A", "AV"]', ["arms.toml", "[COGMEN-A]", "AV"]),
    ("arms", 'select = "AV"', 'select = "V"', ["arms.toml", "[COGMEN-AV]", "'V'"]),
    ("arms", "[COGMEN-A]", "odd = 3\n[COGMEN-A]", ["arms.toml", "odd"]),
    ("protocols", "random = 0.3", "random = 0.4", ["protocols.toml", "[paper].masking", "sum to 1"]),
    ("protocols", "none = 0.1\naudio = 0.3", "none = -0.1\naudio = 0.5", ["protocols.toml", "[paper].masking", "none"]),
    ("protocols", 'unit = "utterance"', 'unit = "turn"', ["protocols.toml", "'unit'", "'turn'", "'dialogue'"]),
    ("protocols", "length = 1", "length = 1.0", ["protocols.toml", "'length'"]),
    ("protocols", "attend_padding", "attend_pading", ["protocols.toml", "[paper]", "'attend_pading'"]),
    ("protocols", "[paper.masking]", "[paper.maskings]", ["protocols.toml", "[paper]", "'maskings'"]),
    ("profiles", "epochs = 2", "epoch = 2", ["profiles.toml", "[smoke]", "'epoch'", "epochs"]),
    ("profiles", "epochs = 2", "epochs = 2.5", ["profiles.toml", "[smoke]", "'epochs'"]),
    ("profiles", "epochs = 2", "epochs = 0", ["profiles.toml", "[smoke]", "epochs"]),
    ("profiles", "seeds = [24, 25]", "", ["profiles.toml", "[smoke]", "'seeds'"]),
    ("profiles", "seeds = [24, 25]", "seeds = []", ["profiles.toml", "[smoke]", "seeds"]),
    ("profiles", "seeds = [24, 25]", "seeds = [24, 24]", ["profiles.toml", "[smoke]", "seeds"]),
    ("profiles", "seeds = [24, 25]", "seeds = [-1, 25]", ["profiles.toml", "[smoke]", "seeds"]),
    ("profiles", "learning_rate = 1e-3", "learning_rate = nan", ["profiles.toml", "[smoke]", "learning_rate"]),
    ("profiles", "learning_rate = 1e-3", "learning_rate = -1e-3", ["profiles.toml", "[smoke]", "learning_rate"]),
    ("protocols", "none = 0.1", "none = nan", ["protocols.toml", "[paper].masking", "none"]),
    ("table2", "{ A = 0.636 }", "{ A = 63.6 }", ["table2.toml", "row 1", "63.6"]),
    ("table2", "[[rows]]", "[[row]]", ["table2.toml", "'row'"]),
    ("profiles", "[smoke]", "[smok]", ["profiles.toml", "'smoke'", "smok"]),
]


@pytest.mark.parametrize(("file", "old", "new", "named"), BAD, ids=[f"{b[0]}: {b[2] or 'no ' + b[1]}" for b in BAD])
def test_a_mistake_in_a_file_is_named(edit, file, old, new, named):
    edit(file, old, new)
    with pytest.raises(BadTable) as raised:
        definitions.table("table2")
        definitions.profile("smoke")
        definitions.protocol("paper")
    message = str(raised.value)
    assert "\n" not in message and all(part in message for part in named), message


def test_whole_numbers_are_floats_where_floats_are_meant(edit):
    edit("table2", "{ A = 0.636 }", "{ A = 1 }")
    value = definitions.table("table2").rows[0].published["A"]
    assert value == 1.0 and type(value) is float


def test_a_file_that_is_gone_is_named(edit):
    (definitions.folder() / "arms.toml").unlink()
    with pytest.raises(BadTable, match=r"arms\.toml"):
        definitions.arms()


@pytest.mark.parametrize(
    ("name", "hint"), [("tabel2", "did you mean table2"), ("xyz", "there are"), ("arms", "table2"), ("", "table2")]
)
def test_an_unknown_table_suggests_the_nearest(name, hint):
    with pytest.raises(UnknownTable, match=hint):
        definitions.table(name)
