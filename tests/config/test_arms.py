from dataclasses import replace

import pytest

from replicate.config.arms import arms, changed
from replicate.config.protocols import mixed_protocol, protocol
from replicate.errors import InvalidDefinition
from replicate.training.config import Arm, Hubert, Protocol
from replicate.training.distillation.dmd import DmdOnlineSettings, DmdSettings
from replicate.training.distillation.pkdot import MtPkdotSettings, PkdotSettings
from replicate.training.distillation.teacher_alignment import AlignmentSettings
from replicate.training.distillation.triplet import TripletSettings
from replicate.training.masking.scenarios import Masking

BASE = '[base]\ntrain = "AV"\ncontexts = ["A", "AV"]\nselect = "AV"\n'


@pytest.fixture
def written(tables_folder):
    """The arms of an ``arms.toml`` of this content."""

    def read(content):
        (tables_folder / "arms.toml").write_text(content, encoding="utf-8")
        return arms()

    return read


@pytest.fixture
def refused(written):
    """The message with which an ``arms.toml`` is refused."""

    def message(content):
        with pytest.raises(InvalidDefinition) as raised:
            written(content)
        text = str(raised.value)
        assert text.startswith("arms.toml [") and "\n" not in text
        return text

    return message


def test_an_arm_is_like_another_where_it_says_nothing(written):
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


def test_a_student_may_teach(written):
    found = written(BASE + '[a]\nlike = "base"\nteacher = "base"\n[b]\nlike = "base"\nteacher = "a"\n')
    assert [arm.name for arm in found["b"].with_teachers] == ["b", "a", "base"]


TAUGHT = '[s]\nlike = "base"\nteacher = "base"\n'
SEVERAL = TAUGHT + 'unimodal_teachers = ["base"]\n'


def test_a_method_of_distillation_is_built_from_its_section(written):
    found = written(
        BASE
        + TAUGHT
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
        (TAUGHT + 'distillation = { method = "hint" }\n', ["unknown distillation method 'hint'", "mtpkdot"]),
        (TAUGHT + "distillation = { temperature = 2.0 }\n", ["unknown key 'temperature'"]),
        (TAUGHT + 'distillation = { method = "logits", temperature = 0 }\n', ["temperature = 0.0", "above 0"]),
        (TAUGHT + 'distillation = { method = "pkdot", select = "best" }\n', ["'best'", "joint_only"]),
        (TAUGHT + 'distillation = { method = "pkdot", anchor_count = 0 }\n', ["anchor_count = 0"]),
        (TAUGHT + 'distillation = { method = "dmd-online" }\n', ["takes no teacher"]),
        (TAUGHT + 'distillation = { method = "pkdot", hallucinate = "mse" }\n', ["video-only", "train = 'V'"]),
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


def test_students_and_teachers_of_the_paper():
    # What else distils has tables of its own, "distillation" and the ablations.
    found = {name: arm for name, arm in arms().items() if not arm.distillation or arm.distillation == TripletSettings()}
    teachers = {name: arm.teacher.name for name, arm in found.items() if arm.teacher}
    assert teachers == {
        "Student-A": "Teacher-AV",
        "Student-A-2-layers": "Teacher-AV",
        "Student-A-3-heads": "Teacher-AV",
        "Student-of-Mask": "COGMEN-Mask",
        "HuBERT-Student-A": "HuBERT-Teacher-AV",
        "Student-A-causal": "Teacher-AV",
    }
    sizes = {name: (found[name].context_layers, found[name].gnn_heads) for name in (*teachers, *teachers.values())}
    assert sizes == {
        "Teacher-AV": (4, 7),
        "Student-A": (4, 7),
        "Student-A-2-layers": (2, 7),
        "Student-A-3-heads": (4, 3),
        "Student-of-Mask": (4, 7),
        "COGMEN-Mask": (2, 7),
        "HuBERT-Teacher-AV": (4, 7),
        "HuBERT-Student-A": (4, 7),
        "Student-A-causal": (4, 7),
    }
    assert {arm.window for name, arm in found.items() if "disjoint" in name} == {(0, 0)}
    assert {arm.window for name, arm in found.items() if "causal" in name} == {(0, 5)}
    others = [arm for name, arm in found.items() if "disjoint" not in name and "causal" not in name]
    assert {arm.window for arm in others} == {(5, 5)}
    assert all(arm.causal == name.endswith("-causal") for name, arm in found.items())
    assert all(
        arm.context == (name.split("-")[-1] if name[-3:] in ("gru", "ssm") or "lstm" in name else "transformer")
        for name, arm in found.items()
    )
    assert all(arm.uses_hubert == name.startswith("HuBERT") for name, arm in found.items())
    weights = {(arm.method.triplet_weight, arm.method.nll_weight) for arm in found.values() if arm.method}
    assert weights == {(1, 1)}


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
        ('[s]\nlike = "base"\nteacher = ["base"]\n', ["[s]", "'teacher'", "['base']"]),
        ('[s]\nlike = "base"\nname = "x"\n', ["[s]", "'name'"]),
        ('[s]\nlike = "base"\nteacher = "base"\ngnn_heads = 8\n', ["[s]", "gnn_heads = 8", "wider", "base", "7"]),
        ('[s]\nlike = "base"\nteacher = "base"\naudio = "hubert"\n', ["[s]", "'hubert'", "base", "'audio'"]),
        (
            '[s]\nlike = "base"\naudio = "speech"\n',
            ["[s]", "unknown audio stream 'speech'", "audio, hubert, hubert-second-to-last"],
        ),
        ('[s]\nlike = "base"\ncontext_layers = 0\n', ["[s]", "context_layers = 0", "1 or more"]),
        ('[s]\nlike = "base"\ngnn_heads = 0\n', ["[s]", "gnn_heads = 0", "1 or more"]),
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
        ({"gnn_heads": 8}, "wider"),
        ({"layers": 1}, "'layers'"),
        ({"window": [1]}, "2 values"),
        ({"teacher": "COGMEN-AV"}, "'teacher'"),
        ({"name": "x"}, "'name'"),
    ]:
        with pytest.raises(InvalidDefinition, match="here") as raised:
            changed(student, change, "here")
        assert named in str(raised.value)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("paper", Protocol("paper")),
        ("paper+", Protocol("paper+")),
        (
            "released",
            Protocol(
                "released", True, "n-way", Masking("batch", 0.0, 0.3, 0.3, 0.4, 0.2, 1), Hubert("random", "release")
            ),
        ),
        ("paper+attend_padding=true", Protocol("paper+attend_padding=true", attend_padding=True)),
        ("paper+hubert.projection=none", Protocol("paper+hubert.projection=none", hubert=Hubert("none"))),
        ("paper+hubert.projection=pca", Protocol("paper+hubert.projection=pca", hubert=Hubert("pca"))),
        (
            "paper+masking.unit=dialogue,masking.start=0.5,masking.length=3",
            Protocol(
                "paper+masking.unit=dialogue,masking.start=0.5,masking.length=3",
                masking=Masking("dialogue", 0.1, 0.3, 0.3, 0.3, 0.5, 3),
            ),
        ),
        (
            "paper+ triplet = n-way , masking.start = 1",
            Protocol("paper+ triplet = n-way , masking.start = 1", triplet="n-way", masking=Masking(start=1.0)),
        ),
        (
            "released+attend_padding=false,triplet=one,hubert.order=time",
            Protocol(
                "released+attend_padding=false,triplet=one,hubert.order=time",
                masking=Masking("batch", 0.0, 0.3, 0.3, 0.4, 0.2, 1),
                hubert=Hubert("random", "time"),
            ),
        ),
    ],
)
def test_protocols_and_single_settings(name, expected):
    found = protocol(name)
    assert found == expected
    assert type(found.masking.start) is float and type(found.masking.length) is int


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("mine", ["protocols.toml", "unknown protocol 'mine'", "released"]),
        ("", ["unknown protocol ''"]),
        ("papers", ["did you mean paper?"]),
        ("paper+padding=true", ["unknown setting 'padding'", "attend_padding"]),
        ("paper+attend_padding", ["attend_padding", "''"]),
        ("paper+attend_padding=yes", ["'yes'", "attend_padding", "False"]),
        ("paper+attend_padding=True", ["'True'", "attend_padding"]),
        ("paper+masking=none", ["masking is a section", "masking.unit"]),
        ("paper+masking.none.x=1", ["masking.none"]),
        ("paper+masking.units=batch", ["unknown setting 'units'", "did you mean unit?"]),
        ("paper+masking.unit=speaker", ["'speaker'", "'utterance'", "'dialogue'", "'batch'"]),
        ("paper+masking.start=often", ["'often'", "start", "0.2"]),
        ("paper+masking.start=1.5", ["masking.start"]),
        ("paper+masking.start=nan", ["masking.start"]),
        ("paper+masking.length=0", ["masking.length"]),
        ("paper+masking.length=1.5", ["'1.5'", "length"]),
        ("paper+masking.none=0.2", ["sum to 1"]),
        ("paper+masking.none=nan", ["sum to 1"]),
        ("paper+masking.none=-0.1,masking.audio=0.5", ["0 or more"]),
        ("paper+masking.none=0,masking.random=0,masking.audio=0.7", ["uni-modal masking"]),
        ("paper+triplet=two", ["'two'", "'one'", "'n-way'"]),
        ("paper+hubert.projection=PCA", ["'PCA' is none of 'learned', 'random', 'none', 'pca'"]),
        ("paper+hubert.order=", ["''", "'release'"]),
        ("paper+name=x", ["unknown setting 'name'"]),
    ],
)
def test_a_bad_setting_is_named(name, named):
    with pytest.raises(InvalidDefinition) as raised:
        protocol(name)
    message = str(raised.value)
    assert "\n" not in message and all(part in message for part in named), message


def test_a_mixed_protocol_takes_settings_from_the_other_one():
    paper, released = protocol("paper"), protocol("released")
    assert mixed_protocol("paper", "released", (), (), "here") == paper
    found = mixed_protocol("paper", "released", ("masking.unit",), (), "here")
    assert found == replace(
        paper, name="paper, released masking.unit", masking=replace(paper.masking, unit=released.masking.unit)
    )
    found = mixed_protocol("paper", "released", ("attend_padding", "masking"), (), "here")
    assert found.name == "paper, released attend_padding and masking"
    assert replace(found, name="paper") == replace(paper, attend_padding=True, masking=released.masking)
    found = mixed_protocol("released", "paper", ("hubert.order", "triplet"), (), "here")
    assert replace(found, name="released") == replace(released, triplet="one", hubert=Hubert("random", "time"))
    whole = mixed_protocol("paper", "released", ("attend_padding", "triplet", "masking", "hubert"), (), "here")
    assert replace(whole, name="released") == released


@pytest.mark.parametrize(
    ("from_other", "named"),
    [
        (("padding",), ["here", "unknown setting 'padding'", "attend_padding"]),
        (("masking.units",), ["here", "'units'"]),
        (("masking.unit.x",), ["here"]),
        (("",), ["here", "unknown setting ''"]),
        (("masking.none",), ["here", "sum to 1"]),
    ],
)
def test_a_setting_that_the_other_protocol_lacks_is_named(from_other, named):
    with pytest.raises(InvalidDefinition) as raised:
        mixed_protocol("paper", "released", from_other, (), "here")
    assert all(part in str(raised.value) for part in named), str(raised.value)


def test_overrides_are_written_as_in_the_name_of_a_protocol():
    for overrides in (
        ("hubert.projection=none",),
        ("hubert.projection = pca", "hubert.order=release", "masking.start=1"),
    ):
        assert mixed_protocol("paper", "", (), overrides, "here") == protocol(f"paper+{','.join(overrides)}")
    # They come last.
    found = mixed_protocol("paper", "released", ("hubert",), ("hubert.order=time",), "here")
    assert found == replace(
        protocol("paper"), name="paper, released hubert+hubert.order=time", hubert=Hubert("random", "time")
    )


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("hubert.projection=fixed", ["'fixed' is none of", "'pca'"]),
        ("hubert.projections=none", ["unknown setting 'projections'"]),
        ("hubert=none", ["hubert is a section", "hubert.projection"]),
        ("hubert.order", ["''", "'release'"]),
        ("", ["unknown setting ''"]),
        ("masking.none=0.2", ["sum to 1"]),
        ("hubert.order=release,triplet=n-way", ["'release,triplet=n-way'"]),
    ],
)
def test_an_override_that_cannot_be_made_is_named(override, named):
    with pytest.raises(InvalidDefinition, match=r"^here") as raised:
        mixed_protocol("paper", "", (), (override,), "here")
    assert all(part in str(raised.value) for part in named), str(raised.value)
