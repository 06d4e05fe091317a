"""Loading ``claims.toml``: the fields of a claim, and the message for every mistake."""

import pytest

from replicate.config.claims import Margins, Statement, load
from replicate.errors import InvalidDefinition, UnknownTable
from tests.claims_toml import CLAIM, RULE, statement


@pytest.fixture
def written(tables_folder):
    """Replace the content of ``claims.toml``."""
    return lambda content: (tables_folder / "claims.toml").write_text(RULE + content, encoding="utf-8")


def test_a_cell_that_occurs_twice_counts_twice():
    found = Statement("t/a/AV", "above", "t/a/AV", first_minus="t/b/A", second_minus="t/c/A")
    assert found.cells == [("t/a/AV", 1), ("t/a/AV", -1), ("t/b/A", -1), ("t/c/A", 1)]


def test_margins_by_relation():
    margins = Margins(0.0, 0.1, 0.03, 0.2)
    relations = ("above", "far above", "within", "evenly above", "least certain of")
    assert [margins.of(name) for name in relations] == [0.0, 0.1, 0.03, 0.2, 0.0]


def test_a_statement_about_an_emotion_has_one_cell(written):
    written(CLAIM + SAD)
    _, (claim,) = load()
    (found,) = claim.statements
    assert (found.cells, found.emotion, found.by_class) == ([("table2/COGMEN-Mask/A", 1)], "sad", True)


SAD = '[[claims.statements]]\nfirst = "table2/COGMEN-Mask/A"\nrelation = "least certain of"\nemotion = "sad"\n'

BAD = [
    (CLAIM, ["claim 1", "[[claims.statements]]"]),
    (CLAIM + statement("below"), ["claim 1, statement 1", "'relation'", "'below'", "'within'"]),
    (CLAIM + statement(more='measure = "ratio"'), ["claim 1, statement 1", "'measure'"]),
    (CLAIM + statement(more='emotion = "sad"'), ["claim 1, statement 1", "'above' takes no 'emotion'"]),
    (CLAIM + statement("least certain of"), ["claim 1, statement 1", "'least certain of' takes no 'second'"]),
    (CLAIM + SAD.replace("emotion", "#"), ["claim 1, statement 1", "needs the key 'emotion'"]),
    (CLAIM + SAD + "margin = 0.1", ["claim 1, statement 1", "margin = 0.1"]),
    (CLAIM + statement(second=""), ["claim 1, statement 1", "needs the key 'second'"]),
    (CLAIM + statement(more="margin = -0.1"), ["claim 1, statement 1", "margin = -0.1"]),
    (CLAIM + statement("evenly above", more='first_minus = "table2/COGMEN-A/A"'), ["takes no first_minus"]),
    (CLAIM + statement(more="margn = 1"), ["claim 1, statement 1", "'margn'", "did you mean margin?"]),
    (CLAIM + statement(more='margin = "wide"'), ["claim 1, statement 1", "'margin'", "'wide'"]),
    (CLAIM + statement(first="table9/COGMEN-A/A"), ["claim 1", "unknown table 'table9'", "table2"]),
    (CLAIM + statement(first="COGMEN-A/A"), ["claim 1", "unknown table 'COGMEN-A'"]),
    (CLAIM + statement(second="table2/COGMEN-B/A"), ["claim 1", "cell of table2 'COGMEN-B/A'", "COGMEN-A/A"]),
    (CLAIM + statement(second="table2/COGMEN-A/AV"), ["claim 1", "cell of table2 'COGMEN-A/AV'"]),
    (CLAIM + statement(second="table2"), ["claim 1", "cell of table2 ''"]),
    (CLAIM + '[[claims.statements]]\nfirst = "x"\n', ["claim 1, statement 1", "missing"]),
    ('[[claims]]\ntext = "x"\n' + statement(), ["claim 1", "'number'", "missing"]),
    ('[[claims]]\nnumber = 1.5\ntext = "x"\n' + statement(), ["claim 1", "'number'", "1.5"]),
    ('[[claims]]\nnumber = 1\ntext = "x"\nodd = 1\n' + statement(), ["claim 1", "'odd'"]),
    ('[claims]\nnumber = 1\n', ["claims.toml, claims", "[[...]]"]),
    ("[rules]\nlevel = 1\n", ["claims.toml", "'rules'"]),
]  # fmt: skip


@pytest.mark.parametrize(("content", "named"), BAD)
def test_a_mistake_is_named(written, content, named):
    written(content)
    with pytest.raises(InvalidDefinition) as raised:
        load()
    message = str(raised.value)
    assert message.startswith("claims.toml") and "\n" not in message
    assert all(part in message for part in named), message


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("level = 0.05", "level = 0", ["[rule]", "level"]),
        ("level = 0.05", "level = 1.0", ["[rule]", "level"]),
        ("level = 0.05", "level = nan", ["[rule]", "level"]),
        ("level = 0.05", "levl = 0.05", ["[rule]", "'levl'"]),
        ("far = 0.125", "", ["[rule]", "'far'", "missing"]),
        ("far = 0.125", 'far = "wide"', ["[rule]", "'far'"]),
        ("[rule]", "[ruled]", ["[rule]"]),
    ],
)
def test_a_mistake_in_the_rule_is_named(tables_folder, old, new, named):
    (tables_folder / "claims.toml").write_text((RULE + CLAIM + statement()).replace(old, new, 1))
    with pytest.raises(InvalidDefinition) as raised:
        load()
    assert all(part in str(raised.value) for part in named), str(raised.value)


def test_a_table_that_is_broken_breaks_its_claims(edit):
    edit("table2", "published = { A = 0.636 }", "")
    with pytest.raises((InvalidDefinition, UnknownTable), match="table2"):
        load()
