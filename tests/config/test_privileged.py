from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicate.config import claims, figures, privileged, tables
from replicate.config.arms import arms
from replicate.config.grid import arm_with_grid, trials
from replicate.config.protocols import protocol
from replicate.config.requirements import lacking, words
from replicate.errors import InvalidArgument, InvalidDefinition, MissingStream

ALL = ("V", "T", "TV")
TABLES = tables.table_names()


def having(*names):
    """Stands for a corpus with these streams."""
    return SimpleNamespace(name="mine", widths=dict.fromkeys(names, 1))


@pytest.mark.parametrize(
    ("streams", "expected"),
    [
        (("audio", "visual", "text"), "V"),
        (("audio", "visual"), "V"),
        (("text", "audio"), "T"),
        (("audio", "hubert"), ""),
    ],
)
def test_by_default_video_is_privileged_else_text(streams, expected):
    assert privileged.chosen(None, having(*streams)) == privileged.default(having(*streams)) == expected


@pytest.mark.parametrize("choice", list(privileged.CHOICES))
def test_a_choice_of_streams_that_the_corpus_has(choice):
    letters = privileged.chosen(choice, having("audio", "text", "visual"))
    assert privileged.choice(letters) == choice
    assert {"text", "visual"} >= set(privileged.streams(letters)) == set(choice.split("+")) - {"none"}


def test_a_stream_that_the_corpus_lacks_is_named_with_what_to_choose():
    with pytest.raises(MissingStream) as raised:
        privileged.chosen("visual+text", having("audio", "text"))
    assert str(raised.value) == (
        "corpus mine has only the streams audio, text, so visual cannot be privileged: choose --privileged text or none"
    )


def test_another_word_is_no_choice():
    with pytest.raises(InvalidArgument, match=r"privileged = 'video' is no choice: there are visual"):
        privileged.chosen("video", having("audio", "visual"))


TEXT = st.text("{P}A/", max_size=5)


@given(st.recursive(TEXT | st.integers(), lambda each: st.lists(each) | st.dictionaries(TEXT, each)))
def test_filling_changes_texts_and_keys_alone(tree):
    assert repr(privileged.filled(tree, "TV", "")) == repr(tree).replace("{P}", "TV")


def test_keys_that_become_one_are_refused():
    with pytest.raises(InvalidDefinition, match=r"table\.toml: key 'AV' is there twice once \{P\} is V"):
        privileged.filled({"published": {"A{P}": 0.1, "AV": 0.2}}, "V", "table.toml")


def test_sections_that_get_the_same_name_are_refused(edit):
    edit("arms", "[COGMEN-A]", '[COGMEN-AT]\nlike = "COGMEN-A"\n\n[COGMEN-A]')
    assert "COGMEN-AT" in arms()
    with pytest.raises(InvalidDefinition, match=r"\[COGMEN-A.*\] has the same name once {P} is T; rename this one"):
        arms("T")


@pytest.mark.parametrize("letters", ALL)
@pytest.mark.parametrize("name", [name for name in TABLES if name.startswith("table")])
def test_a_table_with_other_privileged_streams_differs_in_their_letters_alone(name, letters):
    paper, table = tables.table(name), tables.table(name, letters)
    for ours, theirs in zip(table.rows, paper.rows, strict=True):
        for arm, other in zip(ours.arm.with_teachers, theirs.arm.with_teachers, strict=True):
            assert arm.train == other.train.replace("V", letters)
            assert "visual" not in arm.streams or "V" in letters
        assert len(ours.contexts) == len(theirs.contexts) and len(ours.published) == len(theirs.published)
        assert ours.comparable == (letters == "V" or not privileged.needed(ours.arm.required_streams))
    assert table.privileged == letters and len(table.compare) == len(paper.compare)


@pytest.mark.parametrize("letters", [*ALL, ""])
@pytest.mark.parametrize("name", TABLES)
def test_nothing_is_left_to_fill(name, letters):
    assert privileged.PLACEHOLDER not in repr(tables.table(name, letters))


def test_names_and_numbers_are_filled():
    table = tables.table("table2", "T")
    assert [row.name for row in table.rows][:3] == ["COGMEN-A", "COGMEN-AT", "COGMEN-Mask"]
    assert table.rows[1].published == {"A": 0.426, "AT": 0.645} and table.rows[1].arm.name == "COGMEN-AT"
    assert table.compare[0] == ("COGMEN-AT/AT", "COGMEN-AT/A")
    assert tables.table("distillation", "TV").notes[1].startswith("MT-PKDOT and DMD have three teachers (ATV, TV, A)")
    assert [row.name for row in tables.companion_table(tables.table("table3", "T")).rows][1] == "COGMEN-AT"


@pytest.mark.parametrize("letters", ALL)
def test_arms_claims_figures_and_grids_are_filled(letters):
    assert len(arms(letters)) == len(arms())
    found = claims.load(letters)[1]
    assert found[2].text == f"Tested on audio alone, COGMEN-A{letters} loses more than 0.2 and falls far below COGMEN-A"
    assert figures.load(letters)[2].panels[1].split() == ("table4", f"HuBERT-A{letters}", f"A{letters}")
    assert "{P}" not in repr((found, figures.load(letters), arms(letters)))
    arm = arm_with_grid("Student-A", letters)
    assert all(trial.arm.teacher.train == f"A{letters}" for trial in trials(arm, protocol("paper"), 3, letters)[0])


def test_an_arm_of_the_papers_streams_is_told_from_an_unknown_one(edit):
    edit("arms", "[COGMEN-A]", '[mine]\nlike = "COGMEN-AV"\n\n[COGMEN-A]')
    edit("table2", 'arm = "COGMEN-A"', 'arm = "mine"\ncontexts = ["A"]')
    assert tables.table("table2").rows[0].arm.train == "AV"
    with pytest.raises(InvalidDefinition, match=r"arms.toml \[mine\], key 'like': arm COGMEN-AV has .* write \{P\}"):
        tables.table("table2", "T")
    edit("arms", '"COGMEN-AV"', '"COGMEN-A{P}"')
    assert tables.table("table2", "T").rows[0].arm.train == "AT"
    edit("table2", 'arm = "mine"', 'arm = "Teacher-AV"')
    with pytest.raises(InvalidDefinition, match=r"table2.toml, row 1: arm Teacher-AV has .* write \{P\}"):
        tables.table("table2", "T")


def test_without_privileged_streams_only_arms_of_audio_are_trained():
    table = tables.table("table2", "")
    assert [row.name for row in table.rows] == [row.name for row in tables.table("table2").rows]
    found = lacking(table.rows, having("audio", "visual"))
    assert set(found) == {row.name for row in table.rows} - {"COGMEN-A", "COGMEN-A + Mask"}
    assert set(map(words, found.values())) == {"a privileged stream"}
    hubert = tables.table("table4", "").rows[3]
    assert words(lacking([hubert], having("audio"))["HuBERT-AV"]) == "the hubert stream and a privileged stream"


def test_a_users_file_cannot_set_what_is_filled_in(edit):
    edit("table2", "\n[[rows]]", '\nprivileged = "T"\n\n[[rows]]')
    with pytest.raises(InvalidDefinition, match="key 'privileged' cannot be set here"):
        tables.table("table2")
