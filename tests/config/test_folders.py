"""Definitions of a user's folder are added to the packaged ones, and mistakes name the file and the key."""

import re
from pathlib import Path

import pytest

from replicate.config import claims, figures, folders, grid, tables
from replicate.config.arms import arms
from replicate.config.profiles import profile
from replicate.config.protocols import protocol
from replicate.errors import InvalidDefinition, UnknownTable
from replicate.store.keys import run_key
from replicate.training.config import Budget, RunSpec

ARM = '[mine]\nlike = "COGMEN-A"\ncontext_layers = 1\n'
TABLE = """
title = "Mine"
source = "not in the paper"
in_paper = false
contexts = ["A"]
[[rows]]
name = "base"
arm = "COGMEN-A"
[[rows]]
name = "narrow"
arm = { like = "COGMEN-A", gnn_heads = 2 }
"""
PROTOCOL = (
    '[mine]\nattend_padding = false\ntriplet = "n-way"\n[mine.masking]\nunit = "batch"\nnone = 0.1\naudio = 0.3\n'
    'privileged = 0.3\nrandom = 0.3\nstart = 0.2\nlength = 1\n[mine.hubert]\nprojection = "learned"\norder = "time"\n'
)
PROFILE = (
    '[mine]\ncorpus = "synthetic-tiny"\nseeds = [7]\nepochs = 1\nbatch = 8\nlearning_rate = 1e-3\n'
    "weight_decay = 0\nfeed_forward = 64\n"
)
CLAIM = """
[[claims]]
number = 21
text = "Mine"
[[claims.statements]]
first = "mine/narrow/A"
relation = "within"
second = "mine/base/A"
"""
FIGURE = '[mine]\nkind = "confusion"\ntitle = "T"\ncaption = "C."\npanels = [{ cell = "mine/base/A", title = "A" }]\n'


def test_everything_of_a_users_folder_is_added(use_folder):
    before = {name: len(folders.sections(name)) for name in ("arms", "protocols", "profiles", "figures", "sweep")}
    tables_before, claims_before = tables.table_names(), len(claims.load()[1])
    path = use_folder(
        arms_toml=ARM,
        mine_toml=TABLE,
        protocols_toml=PROTOCOL,
        profiles_toml=PROFILE,
        claims_toml=CLAIM,
        figures_toml=FIGURE,
        sweep_toml="[mine]\ngnn_heads = [1, 2]\n",
    )
    assert folders.current() == (path,)
    assert {name: len(folders.sections(name)) - count for name, count in before.items()} == dict.fromkeys(before, 1)
    assert arms()["mine"].context_layers == 1
    assert (protocol("mine").triplet, protocol("mine+triplet=one").triplet) == ("n-way", "one")
    assert profile("mine").seeds == (7,)
    assert sorted(tables.table_names()) == sorted([*tables_before, "mine"])
    assert [row.arm.gnn_heads for row in tables.table("mine").rows] == [None, 2]
    assert [claim.number for claim in claims.load()[1]][claims_before:] == [21]
    assert figures.load()[-1].name == "mine"
    assert grid.arm_with_grid("mine") == arms()["mine"]
    folders.use([])
    assert "mine" not in arms() and "mine" not in tables.table_names()


def test_folders_are_absolute_and_each_is_used_once(use_folder, monkeypatch):
    path = use_folder(arms_toml=ARM)
    monkeypatch.chdir(path.parent)
    folders.use(["mine", path])
    assert folders.current() == (path,) and "mine" in arms()


def test_a_folder_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(InvalidDefinition, match=f"--config-dir {re.escape(str(tmp_path / 'none'))}: no such folder"):
        folders.use([tmp_path / "none"])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("arms_toml", ARM + "layers = 2\n", r"mine/arms\.toml \[mine\]: unknown key 'layers': did you mean"),
        ("arms_toml", "[COGMEN-A]\n", r"mine/arms\.toml \[COGMEN-A\]: arms\.toml \[COGMEN-A\] has the same name"),
        ("arms_toml", "[x", r"mine/arms\.toml: not valid TOML"),
        ("arms_toml", "\ufeff[x", r"mine/arms\.toml: not valid TOML: Expected .]. at the end of a table"),
        ("arms_toml", "version https://git-lfs.github.com/spec/v1\n", r"mine/arms\.toml: is a pointer of Git LFS"),
        (
            "arms_toml",
            '[x]\nlike = "COGMEN-B"\n',
            r"mine/arms\.toml \[x\], key 'like': unknown arm 'COGMEN-B': did you mean",
        ),
        (
            "arms_toml",
            '[x]\nlike = "Student-A"\ndistillation = { method = "logit" }\n',
            r"mine/arms\.toml \[x\], distillation: unknown (distillation )?method 'logit': did you mean logits\?",
        ),
        ("protocols_toml", "[paper]\n", r"mine/protocols\.toml \[paper\]: protocols\.toml \[paper\] has the same name"),
        ("protocols_toml", PROTOCOL + "x = 1\n", r"mine/protocols\.toml \[mine\], key 'hubert': unknown key 'x'"),
        ("profiles_toml", PROFILE + "epoch = 1\n", r"mine/profiles\.toml \[mine\]: unknown key 'epoch'"),
        ("claims_toml", CLAIM.replace("21", "3"), r"mine/claims\.toml, claim 1: claims\.toml, claim 3 has number 3"),
        ("claims_toml", "[rule]\nlevel = 0.9\n", r"mine/claims\.toml: unknown key 'rule'"),
        (
            "claims_toml",
            CLAIM.replace("narrow", "narow"),
            r"mine/claims\.toml, claim 1: unknown cell of mine 'narow/A'",
        ),
        ("figures_toml", "[figure3]\n", r"mine/figures\.toml \[figure3\]: figures\.toml \[figure3\] has the same name"),
        ("figures_toml", FIGURE + "size = 3\n", r"mine/figures\.toml \[mine\]: unknown key 'size'"),
        ("mine_toml", TABLE.replace("title", "titel"), r"mine/mine\.toml: unknown key 'titel': did you mean title"),
        ("mine_toml", TABLE.replace("gnn_heads", "heads"), r"mine/mine\.toml, row 2, arm: unknown key 'heads'"),
        ("mine_toml", TABLE.replace('arm = "COGMEN-A"', 'arm = "x"'), r"mine/mine\.toml, row 1: unknown arm 'x'"),
        (
            "mine_toml",
            TABLE.replace("title", "lke"),
            r"mine/mine\.toml: unknown key 'lke': did you mean like\?.* rows, like",
        ),
        ("mine_toml", TABLE.replace("[[rows]]", "[[row]]"), r"mine/mine\.toml: unknown key 'row': did you mean rows\?"),
        (
            "mine_toml",
            TABLE.replace("arm = ", "amr = "),
            r"mine/mine\.toml, row 1: unknown key 'amr': did you mean arm\?",
        ),
        ("arms_toml", f"x = {'[' * 100_000}", "nested deeper than 24 levels"),
        ("arms_toml", f"{'x.' * 2000}x = 1", "nested deeper than 24 levels"),
        ("arms_toml", ARM + f"dropout = {'9' * 400}\n", "a whole number of more than 64 bits"),
        ("arms_toml", ARM + f"dropout = {'9' * 5000}\n", "Exceeds the limit"),
        ("arms_toml", f'[mine]\ntrain = "{"A" * 5000}"\n', "a text of 5,000 characters, more than 4,000"),
        ("arms_toml", f"#{'a' * 2**20}", "more than 1 MiB"),
        ("arms_toml", "[[mine]]\n" * 9000, r"\[mine\]: a list is not a section"),
        ("arms_toml", ARM + "gnn_heads = 1_000_000_000\n", r"\[mine\]: gnn_heads = 1000000000 is not from 1 to 1000"),
        ("arms_toml", "".join(f"[a{i}]\nlike = 'a{i + 1}'\n" for i in range(2000)), "more than 50 arms follow"),
        (
            "arms_toml",
            "".join(f"[a{i}]\nlike = 'COGMEN-A'\nteacher = 'a{i + 1}'\n" for i in range(2000)),
            "more than 50 arms follow",
        ),
        ("profiles_toml", PROFILE.replace("= 64", "= 9_000_000"), "feed_forward = 9000000"),
        ("profile_toml", PROFILE, r"mine/profile\.toml: not a table, .*, profiles\.toml, .*: rename or move it"),
        ("table2_toml", TABLE, r"mine/table2\.toml: .*tables/table2\.toml is a table of the same name"),
    ],
)
def test_a_mistake_names_file_and_key(use_folder, name, content, message):
    use_folder(**{"mine_toml": TABLE, name: content})
    readers = {
        "arms_toml": arms,
        "protocols_toml": lambda: protocol("mine"),
        "profiles_toml": lambda: profile("mine"),
        "claims_toml": claims.load,
        "figures_toml": figures.load,
    }
    with pytest.raises(InvalidDefinition, match=message) as raised:
        readers.get(name, lambda: tables.table("mine"))()
    assert "\n" not in str(raised.value) and len(str(raised.value)) < 4000


def test_two_folders_with_the_same_name_are_both_named(use_folder):
    first = use_folder(arms_toml=ARM)
    second = use_folder(folder="other", also=(first,), arms_toml=ARM)
    with pytest.raises(InvalidDefinition) as raised:
        arms()
    assert str(raised.value).startswith(f"{second}/arms.toml [mine]: {first}/arms.toml [mine] has the same name")


def test_an_unknown_table_suggests_one_of_the_users(use_folder):
    use_folder(mine_toml=TABLE)
    with pytest.raises(UnknownTable, match="did you mean mine"):
        tables.table("mines")


# A table that starts from another one.

COSINE = """
like = "distillation"
title = "Distillation methods, with mine"
rows = [{ name = "warm", arm = { like = "Student-A", distillation.method = "logits" } }]
"""


def test_a_table_like_another_adds_rows_and_trains_nothing_else_again(use_folder, corpus):
    use_folder(mine_toml=COSINE)
    base, mine = tables.table("distillation"), tables.table("mine")
    assert mine.rows[:-1] == base.rows
    assert (mine.contexts, mine.compare, mine.cost, mine.notes) == (base.contexts, base.compare, base.cost, base.notes)
    arm = mine.rows[-1].arm
    assert (arm.name, arm.method.method, arm.teacher) == ("warm", "logits", arms()["Teacher-AV"])

    def keys(table):
        specs = (RunSpec(row.arm, protocol("paper"), Budget(), 24) for row in table.rows)
        return {run_key(spec, corpus, "cpu") for spec in specs}

    # Student-logits of the base table has the same settings, so that not even the added row is a run of its own.
    assert keys(mine) == keys(base)


def test_keys_of_a_table_like_another_replace_its_own_and_comparisons_are_added(use_folder):
    use_folder(mine_toml=COSINE + 'notes = ["mine"]\ncompare = [["warm/A", "no teacher/A"]]\n')
    base, mine = tables.table("distillation"), tables.table("mine")
    assert mine.notes == ("mine",) and mine.compare == (*base.compare, ("warm/A", "no teacher/A"))


def test_a_table_like_one_of_the_paper_needs_no_published_values_and_is_not_in_all(use_folder):
    use_folder(mine_toml='like = "table2"\ntitle = "T"\nrows = [{ name = "gru", arm = "COGMEN-A-gru" }]\n')
    mine = tables.table("mine")
    assert not mine.in_paper and mine.extra and mine.rows[0].published == {"A": 0.636}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            'like = "distilation"\n',
            r"mine\.toml, key 'like': unknown table 'distilation': did you mean distillation",
        ),
        ('like = "mine"\n', r"mine/mine\.toml, key 'like': tables in a circle: mine <- mine"),
        ('like = "table2"\nrows = [{ name = "COGMEN-A", arm = "COGMEN-A" }]\n', r"mine\.toml, row 1: there is a row"),
        ('like = "table2"\nrows = [{ arm = { like = "COGMEN-A" } }]\n', r"mine\.toml, row 1: key 'name' is missing"),
        ("like = 3\n", r"mine/mine\.toml, key 'like': unknown table '3'"),
    ],
)
def test_a_mistake_in_a_table_like_another_is_named(use_folder, content, message):
    use_folder(mine_toml=content)
    with pytest.raises(InvalidDefinition, match=message):
        tables.table("mine")


def test_the_name_of_an_arm_in_a_row_is_unique(use_folder):
    row = 'like = "table2"\nrows = [{{ name = "{}", arm = {{ like = "COGMEN-A", gnn_heads = {} }} }}]\n'
    use_folder(one_toml=row.format("narrow", 1), two_toml=row.format("narrow", 2), three_toml=row.format("HuBERT-A", 3))
    use_folder(four_toml=row.format("plain", 4), five_toml='like = "four"\n')
    names = {name: tables.table(name).rows[-1].arm.name for name in ("one", "two", "three", "four", "five")}
    assert names == {
        "one": "one: narrow",
        "two": "two: narrow",
        "three": "three: HuBERT-A",
        "four": "plain",
        "five": "plain",
    }


def test_the_packaged_folder_has_all_collections():
    assert {path.stem for path in folders.packaged().glob("*.toml")} >= set(folders.COLLECTIONS)
    assert folders.packaged() == Path(folders.__file__).parents[2] / "tables"


def test_the_settings_of_a_python_project_are_no_table(use_folder):
    path = use_folder(mine_toml=TABLE)
    (path / "pyproject.toml").write_text("[project]\nname = 'mine'\n")
    assert tables.table("mine").name == "mine" and "pyproject" not in tables.table_names()
