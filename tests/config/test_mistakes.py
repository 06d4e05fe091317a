"""A mistake in any TOML file is named with its file, its section and its key."""

import pytest

from replicate.config import tables as definitions
from replicate.config.arms import arms
from replicate.config.profiles import profile
from replicate.config.protocols import protocol
from replicate.errors import InvalidDefinition, UnknownTable

BAD = [
    # file, what is replaced, by what, what the message must name
    ("table2", "published", "publshed", ["table2.toml", "row 1", "'publshed'", "published"]),
    ("table2", 'arm = "COGMEN-A"', 'arm = "COGMEN-B"', ["table2.toml", "row 1", "'COGMEN-B'", "COGMEN-A"]),
    ("table2", 'arm = "COGMEN-A"', "", ["table2.toml", "row 1", "'arm'", "missing"]),
    ("table2", 'arm = "COGMEN-A"', "arm = 3", ["table2.toml", "row 1", "unknown arm '3'"]),
    (
        "table2",
        'arm = "COGMEN-A"',
        'arm = "COGMEN-A"\ncontexts = ["AV"]',
        ["table2.toml", "row 1", "'AV'", "there are A"],
    ),
    ("table2", 'arm = "COGMEN-A"', 'arm = "COGMEN-A"\ncontexts = ["A", "B"]', ["table2.toml", "row 1", "'B'"]),
    ("cost", '"table1", ', '"table0", ', ["cost.toml, arms_of", "'table0'", "table1"]),
    ("cost", '"table1", ', '"cost", ', ["cost.toml, arms_of", "unknown table 'cost'"]),
    ("cost", '"table1", ', '"hubert", ', ["cost.toml, arms_of, hubert", "protocol of their own"]),
    ("cost", "arms_of", "arms_if", ["cost.toml", "'arms_if'", "arms_of"]),
    ("table2", "{ A = 0.636 }", "{ A = nan }", ["table2.toml", "row 1", "nan"]),
    ("table2", "{ A = 0.636 }", "{ A = -0.1 }", ["table2.toml", "row 1", "-0.1"]),
    (
        "table2",
        "published = { A = 0.636 }",
        "",
        ["table2.toml", "row 1 (COGMEN-A)", "published value for A is missing"],
    ),
    ("table2", '{ A = 0.426, "A{P}" = 0.645 }', "{ A = 0.426 }", ["table2.toml", "row 2 (COGMEN-AV)", "AV is missing"]),
    ("table2", "{ A = 0.636 }", "{ A = 0.636 }\npublished_std = { A = 2 }", ["table2.toml", "row 1", "2.0"]),
    ("table2", "{ A = 0.636 }", "{ A = 0.636 }\npublished_std = { AV = 0.1 }", ["table2.toml", "row 1", "'AV'"]),
    (
        "table2",
        "{ A = 0.636 }",
        '{ A = 0.636 }\nfrom_other = ["triplet"]',
        ["table2.toml", "'COGMEN-A'", "from_other", "protocol"],
    ),
    (
        "table2",
        'contexts = ["A", "A{P}"]',
        'contexts = ["A"]',
        ["table2.toml", "row 2", "'AV'", "context of the table"],
    ),
    (
        "table2",
        '"COGMEN-A{P}/A{P}", "COGMEN-A{P}/A"',
        '"COGMEN-A{P}/V", "COGMEN-A{P}/A"',
        ["table2.toml, compare", "'COGMEN-AV/V'"],
    ),
    (
        "table2",
        '"COGMEN-A{P}/A{P}", "COGMEN-A{P}/A"',
        '"COGMEN-A{P}", "COGMEN-A{P}/A"',
        ["table2.toml, compare", "'COGMEN-AV'"],
    ),
    ("table2", '"COGMEN-A{P}/A{P}", "COGMEN-A{P}/A"', '"COGMEN-A{P}/A"', ["table2.toml", "'compare'", "2 values"]),
    (
        "table2",
        "title",
        'companion = { table = "table9", title = "x" }\ntitle',
        ["table2.toml, companion", "'table9'", "table1"],
    ),
    ("table2", "title", 'companion = { table = "table2", title = "x" }\ntitle', ["table2.toml, companion", "'table2'"]),
    (
        "table2",
        "title",
        'companion = { table = "table3" }\ntitle',
        ["table2.toml", "'companion'", "'title'", "missing"],
    ),
    ("table2", "title", 'companion = "table3"\ntitle', ["table2.toml", "'companion'"]),
    ("table2", "title", 'other = "paper"\ntitle', ["table2.toml", "other is for rows with from_other"]),
    ("table2", "title", 'protocol = "papr"\ntitle', ["unknown protocol 'papr'", "paper"]),
    ("protocol", 'other = "released"', "", ["protocol.toml, row 'COGMEN-A: dropout 0.5'", "from_other", "other"]),
    ("protocol", 'other = "released"', 'other = "relased"', ["unknown protocol 'relased'", "released"]),
    (
        "table2",
        "{ A = 0.636 }",
        '{ A = 0.636 }\noverrides = ["triplet=n-way"]',
        ["row 'COGMEN-A'", "overrides", "protocol"],
    ),
    (
        "protocol",
        'from_other = ["masking.unit"]',
        'overrides = ["masking.unit=speaker"]',
        ["protocol.toml, row 'masked: one draw per batch'", "'speaker'", "'dialogue'"],
    ),
    (
        "protocol",
        'from_other = ["masking.unit"]',
        'overrides = "masking.unit=batch"',
        ["protocol.toml", "row 12", "'overrides'"],
    ),
    ("table2", "title", 'in_paper = "no"\ntitle', ["table2.toml", "'in_paper'"]),
    ("protocol", '["masking.unit"]', '["masking.units"]', ["protocol.toml, row 'masked: one draw", "'units'", "unit"]),
    ("protocol", '["masking.none", "masking.random"]', '["masking.none"]', ["protocol.toml, row", "sum to 1"]),
    ("protocol", '["masking.unit"]', '"masking.unit"', ["protocol.toml", "row 12", "'from_other'"]),
    ("table2", "{ A = 0.636 }", "{ V = 0.636 }", ["table2.toml", "row 1", "'V'"]),
    ("table2", "{ A = 0.636 }", "{ AV = 0.636 }", ["table2.toml", "row 1", "'AV'"]),
    ("table2", "{ A = 0.636 }", '{ A = "0.636" }', ["table2.toml", "row 1", "'published'"]),
    ("table2", "{ A = 0.636 }", "{ A = true }", ["table2.toml", "row 1", "'published'"]),
    ("table2", 'contexts = ["A", "A{P}"]', 'contexts = ["A", "VA"]', ["table2.toml", "'VA'"]),
    ("table2", 'contexts = ["A", "A{P}"]', 'contexts = "A"', ["table2.toml", "'contexts'"]),
    ("table2", 'contexts = ["A", "A{P}"]', "", ["table2.toml", "'contexts'", "missing"]),
    (
        "table2",
        'arm = "COGMEN-A"\n',
        'arm = "COGMEN-A"\ncontexts = ["A", "A"]\n',
        ["table2.toml", "row 1", "contexts", "repeat"],
    ),
    ("table2", "published = { A = 0.650 }", "published_std = { A = 0.650 }", ["table2.toml", "row 4", "'A'"]),
    ("table2", "title", "titel", ["table2.toml", "'titel'", "did you mean title"]),
    ("table2", "title", "title title", ["table2.toml"]),
    ("table2", 'name = "COGMEN-A{P}"', 'name = "COGMEN-A"', ["table2.toml", "'COGMEN-A'"]),
    ("arms", "masked = true", "maskd = true", ["arms.toml", "[COGMEN-Mask]", "'maskd'", "masked"]),
    ("arms", "masked = true", "distilation = {}", ["arms.toml", "[COGMEN-Mask]", "did you mean distillation", "like"]),
    ("arms", "masked = true", "masked = 1", ["arms.toml", "[COGMEN-Mask]", "'masked'"]),
    ("arms", "masked = true", 'context = "rnn"', ["arms.toml", "[COGMEN-Mask]", "context", "'rnn'", "gru"]),
    ("arms", "masked = true", "memory = 0", ["arms.toml", "[COGMEN-Mask]", "memory = 0", "1 or more"]),
    (
        "arms",
        "masked = true",
        "causal = true",
        ["arms.toml", "[COGMEN-Mask]", "window = [5, 5]", "later ones", "first number to 0"],
    ),
    ("table2", "title", "extra = 1\ntitle", ["table2.toml", "'extra'"]),
    ("arms", "masked = true", "window = [5]", ["arms.toml", "[COGMEN-Mask]", "'window'", "2 values"]),
    ("arms", "masked = true", "window = [5, 0.5]", ["arms.toml", "[COGMEN-Mask]", "'window'"]),
    ("arms", 'train = "A"', "", ["arms.toml", "[COGMEN-A]", "'train'"]),
    ("arms", 'train = "A"', 'train = "audio"', ["arms.toml", "[COGMEN-A]", "'audio'"]),
    ("arms", 'contexts = ["A"]', 'contexts = ["A", "AV"]', ["arms.toml", "[COGMEN-A]", "AV"]),
    ("arms", 'select = "A{P}"', 'select = "V"', ["arms.toml", "[COGMEN-AV]", "'V'"]),
    ("arms", "[COGMEN-A]", "odd = 3\n[COGMEN-A]", ["arms.toml", "odd"]),
    ("protocols", "random = 0.3", "random = 0.4", ["protocols.toml", "[paper]", "sum to 1"]),
    ("protocols", "none = 0.1\naudio = 0.3", "none = -0.1\naudio = 0.5", ["protocols.toml", "[paper]", "masking.none"]),
    ("protocols", 'unit = "utterance"', 'unit = "speaker"', ["protocols.toml", "'unit'", "'speaker'", "'dialogue'"]),
    ("protocols", "length = 1", "length = 1.0", ["protocols.toml", "'length'"]),
    ("protocols", "attend_padding", "attend_pading", ["protocols.toml", "[paper]", "'attend_pading'"]),
    ("protocols", "[paper.masking]", "[paper.maskings]", ["protocols.toml", "[paper]", "'maskings'"]),
    ("profiles", "epochs = 2", "epoch = 2", ["profiles.toml", "[smoke]", "'epoch'", "epochs"]),
    ("profiles", "epochs = 2", "epochs = 2.5", ["profiles.toml", "[smoke]", "'epochs'"]),
    ("profiles", "epochs = 2", "epochs = 0", ["profiles.toml", "[smoke]", "epochs"]),
    ("profiles", "feed_forward = 2048", "feed_forward = 0", ["profiles.toml", "[smoke]", "feed_forward"]),
    ("profiles", "seeds = [24, 25]", "", ["profiles.toml", "[smoke]", "'seeds'"]),
    ("profiles", "seeds = [24, 25]", "seeds = []", ["profiles.toml", "[smoke]", "seeds"]),
    ("profiles", "seeds = [24, 25]", "seeds = [24, 24]", ["profiles.toml", "[smoke]", "seeds"]),
    ("profiles", "seeds = [24, 25]", "seeds = [-1, 25]", ["profiles.toml", "[smoke]", "seeds"]),
    ("profiles", "learning_rate = 1e-3", "learning_rate = nan", ["profiles.toml", "[smoke]", "learning_rate"]),
    ("profiles", "learning_rate = 1e-3", "learning_rate = -1e-3", ["profiles.toml", "[smoke]", "learning_rate"]),
    ("protocols", "none = 0.1", "none = nan", ["protocols.toml", "[paper]", "masking.none"]),
    ("table2", "{ A = 0.636 }", "{ A = 63.6 }", ["table2.toml", "row 1", "63.6"]),
    ("table2", 'arm = "COGMEN-A"', 'arm = "COGMEN-A"\nfeed_forward = 0', ["table2.toml", "feed_forward = 0", "1 or"]),
    (
        "table2",
        'arm = "COGMEN-A"',
        'arm = "COGMEN-A"\nteacher_feed_forward = 8',
        ["table2.toml", "'COGMEN-A'", "teacher_feed_forward has no effect"],
    ),
    ("table2", "[[rows]]", "[[row]]", ["table2.toml", "'row'"]),
    ("profiles", "[smoke]", "[smok]", ["profiles.toml", "'smoke'", "smok"]),
]


@pytest.mark.parametrize(("file", "old", "new", "named"), BAD, ids=[f"{b[0]}: {b[2] or 'no ' + b[1]}" for b in BAD])
def test_a_mistake_in_a_file_is_named(edit, file, old, new, named):
    edit(file, old, new)
    with pytest.raises(InvalidDefinition) as raised:
        definitions.table("table2")
        definitions.table("protocol")
        definitions.table("cost")
        profile("smoke")
        protocol("paper")
    message = str(raised.value)
    assert "\n" not in message and all(part in message for part in named), message


def test_a_missing_file_is_named(tables_folder):
    (tables_folder / "arms.toml").unlink()
    with pytest.raises(InvalidDefinition, match=r"arms\.toml"):
        arms()


@pytest.mark.parametrize(
    ("name", "hint"), [("tabel2", "did you mean table2"), ("xyz", "there are"), ("arms", "table2"), ("", "table2")]
)
def test_an_unknown_table_suggests_the_nearest(name, hint):
    with pytest.raises(UnknownTable, match=hint):
        definitions.table(name)
