"""Tables are built from their files, with the published values of the paper."""

from dataclasses import replace

import pytest

from replicate.config import tables as definitions
from replicate.config.arms import arms
from replicate.config.protocols import protocol
from replicate.training.config import Arm, Hubert, ModelDefaults
from replicate.training.masking.scenarios import Masking


def test_tables_of_the_paper_come_first_and_are_not_extra():
    names = definitions.table_names()
    tables = {name: definitions.table(name) for name in names}
    in_paper = [name for name in names if tables[name].in_paper]
    assert in_paper == names[: len(in_paper)] == [f"table{number}" for number in range(1, 6)]
    assert [name for name in names if not tables[name].extra] == in_paper


# Table, row, context, weighted F1, its deviation where the paper gives one.
PUBLISHED = [
    ("table1", "same: teacher [4, 7]", "AV", 0.6099, 0.0197),
    ("table1", "same: student [4, 7]", "A", 0.5999, 0.0276),
    ("table1", "fewer context layers: teacher [4, 7]", "AV", 0.6440, 0.02),
    ("table1", "fewer context layers: student [2, 7]", "A", 0.6038, 0.0286),
    ("table1", "fewer GNN heads: teacher [4, 7]", "AV", 0.6112, 0.0072),
    ("table1", "fewer GNN heads: student [4, 3]", "A", 0.5857, 0.0426),
    ("table2", "COGMEN-A", "A", 0.636, None),
    ("table2", "COGMEN-AV", "A", 0.426, None),
    ("table2", "COGMEN-AV", "AV", 0.645, None),
    ("table2", "COGMEN-Mask", "A", 0.662, None),
    ("table2", "COGMEN-Mask", "AV", 0.687, None),
    ("table2", "student of COGMEN-Mask", "A", 0.650, None),
    ("table2", "COGMEN-A + Mask", "A", 0.654, None),
    ("table2", "COGMEN-Mask, more context layers", "A", 0.674, None),
    ("table2", "COGMEN-Mask, more context layers", "AV", 0.622, None),
    ("table3", "COGMEN-A", "A", 0.558, None),
    ("table3", "COGMEN-AV", "A", 0.286, None),
    ("table3", "COGMEN-AV", "AV", 0.367, None),
    ("table3", "COGMEN-Mask", "A", 0.607, None),
    ("table3", "COGMEN-Mask", "AV", 0.604, None),
    ("table3", "COGMEN-A + Mask", "A", 0.571, None),
    ("table4", "COGMEN-A", "A", 0.56, None),
    ("table4", "COGMEN-AV", "AV", 0.56, None),
    ("table4", "HuBERT-A", "A", 0.52, None),
    ("table4", "HuBERT-AV", "AV", 0.53, None),
    ("table5", "Masked COGMEN-AV", "A", 0.57, None),
    ("table5", "Masked HuBERT-AV", "A", 0.2282, None),
    ("table5", "Student COGMEN-A", "A", 0.5964, None),
    ("table5", "Student HuBERT-A", "A", 0.3738, None),
    ("table5", "Teacher COGMEN-AV", "AV", 0.6369, None),
    ("table5", "Teacher HuBERT-AV", "AV", 0.55675, None),
]


def test_published_values_are_those_of_the_paper():
    found = [
        (table.name, row.name, context, value, row.published_std.get(context))
        for table in map(definitions.table, ("table1", "table2", "table3", "table4", "table5"))
        for row in table.rows
        for context, value in sorted(row.published.items())
    ]
    assert found == PUBLISHED
    assert not [row for row in definitions.table("protocol").rows if row.published]


def test_every_row_is_shown_where_something_was_published():
    for name in ("table1", "table2", "table3", "table4", "table5"):
        for row in definitions.table(name).rows:
            assert set(row.contexts) == set(row.published) and set(row.published_std) <= set(row.published)


def test_tables_of_hubert_features_leave_out_the_same_16_dialogues():
    left_out = {name: definitions.table(name).leave_out for name in definitions.table_names()}
    assert {name for name, dialogues in left_out.items() if dialogues} == {"table4", "table5", "hubert"}
    assert left_out["table4"] == left_out["table5"] == left_out["hubert"] and len(set(left_out["hubert"])) == 16


@pytest.mark.parametrize(("name", "method"), [("ablation-dmd", "dmd"), ("ablation-mtpkdot", "mtpkdot")])
def test_an_ablation_changes_one_method_with_the_same_teachers(name, method):
    first, *others = (row.arm for row in definitions.table(name).rows)
    assert first.method is None and len(set(others)) == len(others)
    assert {arm.method.method for arm in others} == {method} and len({arm.teachers for arm in others}) == 1


def test_values_of_the_paper_and_of_the_released_code():
    found = arms()
    assert found["COGMEN-A"] == Arm("COGMEN-A", "A", ("A",), "A")
    assert found["COGMEN-AV"] == Arm("COGMEN-AV", "AV", ("A", "AV"), "AV")
    assert found["COGMEN-Mask"] == Arm("COGMEN-Mask", "AV", ("A", "AV"), "A", masked=True)
    paper, released = protocol("paper"), protocol("released")
    assert (paper.attend_padding, released.attend_padding) == (False, True)
    assert (paper.triplet, released.triplet) == ("one", "n-way")
    assert paper.masking == Masking("utterance", 0.1, 0.3, 0.3, 0.3, 0.2, 1)
    assert released.masking == Masking("batch", 0.0, 0.3, 0.3, 0.4, 0.2, 1, unimodal_none=0.0)
    assert (paper.hubert, released.hubert) == (Hubert("learned", "time"), Hubert("random", "release"))
    assert (paper.model, released.model) == (ModelDefaults(2, 7, 0.1), ModelDefaults(2, 1, 0.5))
    for name, sizes in (
        ("Teacher-AV", (4, 7, 0.1)),
        ("Student-A-2-layers", (2, 7, 0.1)),
        ("Student-A-3-heads", (4, 3, 0.1)),
    ):
        assert found[name].model == ModelDefaults(*sizes)


def test_a_row_of_the_protocol_table_has_its_own_protocol():
    table, asked = definitions.table("protocol"), protocol("released")
    paper = protocol("paper")
    protocols = {row.name: table.protocol_of(row, asked) for row in table.rows}
    assert {name for name, each in protocols.items() if each == paper} == {
        *("COGMEN-A: text", "uni-modal masks: text", "masked: text"),
        *("student: text", "HuBERT-A: text", "HuBERT-AV: text"),
    }
    assert protocols["student: n-way triplet"] == replace(paper, name="paper, released triplet", triplet="n-way")
    hidden = protocols["masked: released scenarios"].masking
    assert (hidden.unit, hidden.none, hidden.random) == ("utterance", 0.0, 0.4)
    everything = protocols["masked: released, all three"]
    assert (everything.attend_padding, everything.masking) == (True, asked.masking)
    for arm in ("COGMEN-A", "masked"):
        sizes = [protocols[f"{arm}: {change}"].model for change in ("dropout 0.5", "1 head", "released sizes")]
        assert sizes == [ModelDefaults(2, 7, 0.5), ModelDefaults(2, 1, 0.1), ModelDefaults(2, 1, 0.5)]
    unmasked = [
        protocols[f"uni-modal masks: {how}"].masking.unimodal_none for how in ("as the code runs", "as the code sets")
    ]
    assert unmasked == [0.0, 0.4]
    assert len({replace(each, name="") for each in protocols.values()}) == 8 + 3 + 2


def test_a_row_may_override_settings(edit):
    edit("protocol", 'from_other = ["masking.unit"]', 'overrides = ["masking.unit=batch", "masking.length=2"]')
    table, asked = definitions.table("protocol"), protocol("released")
    found = table.protocol_of(next(row for row in table.rows if row.overrides and row.arm.name == "COGMEN-Mask"), asked)
    assert found == protocol("paper+masking.unit=batch,masking.length=2")


def test_row_names_of_the_hubert_table_match_their_settings():
    table, asked = definitions.table("hubert"), protocol("released")
    for row in table.rows:
        hubert = table.protocol_of(row, asked).hubert
        if row.arm.name.startswith("HuBERT-A"):
            layer = "second-to-last" if row.arm.audio == "hubert-second-to-last" else "last"
            assert row.name == f"{hubert.projection}, {hubert.order}, {layer}"
        elif row.arm.name == "HuBERT-Mask":
            assert (row.name, hubert.order, row.arm.audio) == (f"Mask: {hubert.projection}", "time", "hubert")
        assert replace(table.protocol_of(row, asked), name="paper", hubert=Hubert()) == protocol("paper")
    assert len({row.name for row in table.rows}) == 2 + 4 * 2 * 2 + 4 + 3


def test_a_protocol_alone_holds_for_all_rows(edit):
    edit("table2", "title", 'protocol = "released"\ntitle')
    table, released = definitions.table("table2"), protocol("released")
    assert {table.protocol_of(row, protocol("paper")) for row in table.rows} == {released}


def test_other_tables_take_the_protocol_of_the_command():
    table, asked = definitions.table("table2"), protocol("paper+triplet=n-way")
    assert {table.protocol_of(row, asked) for row in table.rows} == {asked}


def test_whole_numbers_are_floats_where_floats_are_meant(edit):
    edit("table2", "{ A = 0.636 }", "{ A = 1 }")
    value = definitions.table("table2").rows[0].published["A"]
    assert value == 1.0 and type(value) is float


def test_a_table_that_is_not_in_the_paper_needs_no_published_value(edit):
    edit("table2", "published = { A = 0.636 }", "")
    edit("table2", "title", "in_paper = false\ntitle")
    assert definitions.table("table2").rows[0].published == {}


def test_a_row_is_shown_in_the_contexts_that_arm_and_table_share_or_in_those_it_lists():
    def contexts(name):
        return [row.contexts for row in definitions.table(name).rows]

    assert contexts("table2") == [("A",), ("A", "AV"), ("A", "AV"), ("A",), ("A",), ("A", "AV")]
    assert contexts("table4") == [("A",), ("AV",), ("A",), ("AV",)]
    # An arm for both contexts whose row lists one of them.
    assert definitions.table("table4").rows[1].arm.contexts == ("A", "AV")


def test_every_arm_of_other_tables_is_a_row_once():
    found = definitions.table("cost")
    names = [row.name for row in found.rows]
    others = [row for name in found.arms_of for row in definitions.table(name).rows]
    assert len(names) == len({*names}) and {*names} == {row.arm.name for row in others}
    assert all(row.name == row.arm.name and not row.published for row in found.rows)
    assert next(row.contexts for row in found.rows if row.name == "COGMEN-Mask") == ("A", "AV")


def test_rows_of_the_table_itself_come_first(edit):
    edit("cost", "title", 'rows = [{ name = "COGMEN-A", arm = "COGMEN-AV", contexts = ["AV"] }]\ntitle')
    rows = definitions.table("cost").rows
    assert (rows[0].name, rows[0].arm.name) == ("COGMEN-A", "COGMEN-AV") and len({row.name for row in rows}) == len(
        rows
    )


def test_rows_without_a_context_of_the_table_are_left_out(edit):
    edit("cost", '["A", "A{P}"]', '["A{P}"]')
    edit("cost", 'cost = "COGMEN-A"', "")
    assert {"A"} == {row.arm.train for row in definitions.table("table2").rows} - {
        row.arm.train for row in definitions.table("cost").rows
    }
