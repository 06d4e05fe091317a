"""Arms are built from ``arms.toml``, and mistakes in it are named."""

from dataclasses import replace

import pytest

from replicate.config.arms import arms, changed
from replicate.errors import InvalidDefinition
from replicate.training.config import Arm
from replicate.training.methods.dmd import DmdOnlineSettings, DmdSettings
from replicate.training.methods.pkdot import AlignmentSettings, MtPkdotSettings, PkdotSettings
from replicate.training.methods.triplet import TripletSettings

BASE = '[base]\ntrain = "AV"\ncontexts = ["A", "AV"]\nselect = "AV"\n'


@pytest.fixture
def written(tables_folder):
    """Read the arms of an ``arms.toml`` with this content."""

    def read(content):
        (tables_folder / "arms.toml").write_text(content, encoding="utf-8")
        return arms()

    return read


@pytest.fixture
def refused(written):
    """Return the message for an ``arms.toml`` with this content."""

    def message(content):
        with pytest.raises(InvalidDefinition) as raised:
            written(content)
        text = str(raised.value)
        assert text.startswith("arms.toml [") and "\n" not in text
        return text

    return message


def test_keys_that_an_arm_lacks_are_those_of_the_arm_that_it_is_like(written):
    found = written(
        BASE
        + '[child]\nlike = "base"\nselect = "A"\nwindow = [0, 3]\nmasked = true\n'
        + '[grandchild]\nlike = "child"\nmasked = false\ngnn_heads = 2\n'
    )
    base = Arm("base", "AV", ("A", "AV"), "AV")
    assert found["base"] == base
    assert found["child"] == replace(base, name="child", select="A", window=(0, 3), masked=True)
    assert found["grandchild"] == replace(found["child"], name="grandchild", masked=False, gnn_heads=2)


def test_the_order_of_the_file_does_not_matter(written):
    later = '[s]\nlike = "t"\nteacher = "t"\n[t]\nlike = "base"\ngnn_heads = 3\n'
    found = written(later + BASE)
    assert found["s"].teacher == found["t"] == replace(found["base"], name="t", gnn_heads=3)
    assert set(found) == {"base", "t", "s"}


def test_a_teacher_is_inherited_and_can_be_another(written):
    found = written(
        BASE
        + '[other]\nlike = "base"\ndropout = 0.5\n'
        + '[s]\nlike = "base"\nteacher = "base"\n'
        + '[same]\nlike = "s"\ncontext_layers = 1\n'
        + '[else]\nlike = "s"\nteacher = "other"\n'
    )
    assert found["same"].teacher == found["s"].teacher == found["base"]
    assert found["else"].teacher == found["other"]
    assert [arm.name for arm in found["same"].with_teachers] == ["same", "base"]


def test_a_student_can_be_a_teacher(written):
    found = written(BASE + '[a]\nlike = "base"\nteacher = "base"\n[b]\nlike = "base"\nteacher = "a"\n')
    assert [arm.name for arm in found["b"].with_teachers] == ["b", "a", "base"]


STUDENT = '[s]\nlike = "base"\nteacher = "base"\n'
SEVERAL = STUDENT + 'unimodal_teachers = ["base"]\n'


def test_a_distillation_method_is_built_from_its_section(written):
    found = written(
        BASE
        + STUDENT
        + '[p]\nlike = "s"\ndistillation = { method = "pkdot", blur = 0.2 }\n'
        + '[m]\nlike = "s"\nunimodal_teachers = ["base"]\n'
        + 'distillation = { method = "mtpkdot", alignment = { epochs = 3 } }\n'
        + '[d]\nlike = "m"\ndistillation = { method = "dmd" }\n'
        + '[o]\nlike = "base"\ntrain = "A"\ncontexts = ["A"]\nselect = "A"\ndistillation = { method = "dmd-online" }\n'
    )
    assert found["s"].method == TripletSettings() and found["base"].method is None
    assert found["p"].method == PkdotSettings(blur=0.2) and found["p"].method.select == "joint_only"
    assert found["m"].method == MtPkdotSettings(alignment=AlignmentSettings(epochs=3)) and len(found["m"].teachers) == 2
    assert found["d"].method == DmdSettings() and found["d"].auxiliary_streams == ()
    assert (
        found["o"].method == DmdOnlineSettings()
        and found["o"].teachers == ()
        and found["o"].auxiliary_streams == ("visual",)
    )


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ('[s]\nlike = "base"\ndistillation = { method = "logits" }\n', ["logits", "needs a teacher"]),
        (STUDENT + 'distillation = { method = "hint" }\n', ["unknown distillation method 'hint'", "mtpkdot"]),
        (STUDENT + "distillation = { temperature = 2.0 }\n", ["unknown key 'temperature'"]),
        (STUDENT + 'distillation = { method = "logits", temperature = 0 }\n', ["temperature = 0.0", "above 0"]),
        (STUDENT + 'distillation = { method = "pkdot", select = "best" }\n', ["'best'", "joint_only"]),
        (STUDENT + 'distillation = { method = "pkdot", anchor_count = 0 }\n', ["anchor_count = 0"]),
        (STUDENT + 'distillation = { method = "dmd-online" }\n', ["takes no teacher"]),
        (STUDENT + 'distillation = { method = "pkdot", hallucinate = "mse" }\n', ["without audio", "train = 'V'"]),
        (SEVERAL, ["one teacher", "unimodal_teachers"]),
        (SEVERAL + 'distillation = { method = "mtpkdot", alignment = { batch = 0 } }\n', ["alignment.batch = 0"]),
        ('[s]\nlike = "base"\nunimodal_teachers = ["base"]\n', ["needs a teacher"]),
        ('[s]\nlike = "base"\nunimodal_teachers = "base"\n', ["unimodal_teachers", "list of arms"]),
        ('[s]\nlike = "base"\nunimodal_teachers = [3]\n', ["unimodal_teachers", "3"]),
    ],
)
def test_a_mistake_in_a_method_is_named(refused, content, named):
    message = refused(BASE + content)
    assert "[s]" in message and all(part in message for part in named), message


def test_names_of_the_packaged_arms_match_their_settings():
    for name, arm in arms().items():
        if name.startswith("DMD-"):  # without context
            assert arm.window == (0, 0) and arm.context == ("streams" if "plain" in name else "decoupled-streams")
            continue
        causal = name.endswith("-causal") or name == "demo"
        assert arm.window == ((0, 0) if "disjoint" in name else (0, 5) if causal else (5, 5))
        assert arm.causal == causal and arm.uses_hubert == name.startswith("HuBERT")
        assert arm.context == next((kind for kind in ("gru", "lstm", "ssm") if name.endswith(kind)), "transformer")
        assert (arm.method is not None) == ("Student" in name)


def test_the_paper_weighs_both_losses_of_its_method_equally():
    methods = [arm.method for arm in arms().values() if arm.method and arm.distillation == TripletSettings()]
    assert {(method.triplet_weight, method.nll_weight) for method in methods} == {(1, 1)}


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ('[s]\nlike = "base"\nteacher = "s"\n', ["[s]", "teachers in a circle", "s <- s"]),
        ('[s]\nlike = "base"\nteacher = "t"\n[t]\nlike = "base"\nteacher = "s"\n', ["circle", "s <- t <- s"]),
        ('[s]\nlike = "s"\n', ["[s]", "arms in a circle", "s <- s"]),
        ('[s]\nlike = "t"\n[t]\nlike = "s"\n', ["arms in a circle", "s <- t <- s"]),
        ('[s]\nlike = "base"\nteacher = "bass"\n', ["[s]", "unknown arm 'bass'", "did you mean base?"]),
        ('[s]\nlike = "bass"\n', ["[s]", "unknown arm 'bass'", "did you mean base?"]),
        ("[s]\nlike = 3\n", ["[s]", "'like'", "3"]),
        ('[s]\nlike = "base"\nteacher = ["base"]\n', ["[s]", "'teacher'", "a list is not the name of an arm"]),
        ('[s]\nlike = "base"\nname = "x"\n', ["[s]", "'name'"]),
        ('[s]\nlike = "base"\nteacher = "base"\naudio = "hubert"\n', ["[s]", "'hubert'", "base", "'audio'"]),
        (
            '[s]\nlike = "base"\naudio = "speech"\n',
            ["[s]", "unknown audio stream 'speech'", "audio, hubert, hubert-second-to-last"],
        ),
        ('[s]\nlike = "base"\ncontext_layers = 0\n', ["[s]", "context_layers = 0", "1 or more"]),
        ('[s]\nlike = "base"\ngnn_heads = 0\n', ["[s]", "gnn_heads = 0", "1 or more"]),
        ('[s]\nlike = "base"\nhidden = 0\n', ["[s]", "hidden = 0", "1 or more"]),
        ('[s]\nlike = "base"\nwindow = [-1, 5]\n', ["[s]", "window = [-1, 5]", "0 or more"]),
        ('[s]\nlike = "base"\ndropout = 1.0\n', ["[s]", "dropout"]),
        ('[s]\nlike = "base"\ndropout = nan\n', ["[s]", "dropout"]),
        ('[s]\nlike = "base"\nteacher = "base"\ndistillation = { triplet_weight = -1 }\n', ["[s]", "triplet_weight"]),
        (
            '[s]\nlike = "base"\nteacher = "base"\ndistillation = { triplet_weight = 0, nll_weight = 0 }\n',
            ["[s]", "not all be 0"],
        ),
        ('[s]\nlike = "base"\nteacher = "base"\ndistillation = { nll_weight = nan }\n', ["[s]", "nll_weight"]),
        ('[s]\nlike = "base"\nteacher = "base"\ndistillation = { nll_weight = inf }\n', ["[s]", "nll_weight"]),
        ('[s]\nlike = "base"\ncontexts = ["A"]\n', ["[s]", "select = 'AV'", "contexts"]),
        ('[s]\nlike = "base"\ntrain = "A"\n', ["[s]", "context AV", "'A' lacks"]),
        ('[s]\ntrain = "A"\n', ["[s]", "missing"]),
    ],
)
def test_a_mistake_is_named(refused, content, named):
    message = refused(BASE + content)
    assert all(part in message for part in named), message


def test_a_mistake_of_a_teacher_is_named_at_the_teacher(refused):
    assert refused(BASE + '[s]\nlike = "base"\nteacher = "t"\n[t]\nlike = "base"\ngnn_heads = 0\n').startswith(
        "arms.toml [t]"
    )


def test_a_narrower_student_is_allowed(written):
    assert written(BASE + '[s]\nlike = "base"\nteacher = "base"\ngnn_heads = 1\n')["s"].gnn_heads == 1


def test_an_arm_can_be_changed_and_is_checked_again():
    student = arms()["Student-A"]
    found = changed(student, {"context_layers": 1, "dropout": 0}, "here")
    assert found == replace(student, context_layers=1, dropout=0.0) and type(found.dropout) is float
    for change, named in [
        ({"gnn_heads": 0}, "gnn_heads = 0"),
        ({"layers": 1}, "'layers'"),
        ({"window": [1]}, "2 values"),
        ({"teacher": "COGMEN-AV"}, "'teacher'"),
        ({"name": "x"}, "'name'"),
    ]:
        with pytest.raises(InvalidDefinition, match="here") as raised:
            changed(student, change, "here")
        assert named in str(raised.value)
