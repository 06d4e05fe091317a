"""Plans with other privileged streams than the paper's: text, text and video, or none."""

import shlex
from dataclasses import replace

import pytest

from replicate.config.tables import table_names
from replicate.errors import InvalidArgument, InvalidDefinition, MissingStream
from replicate.experiment.sweep import Sweep
from tests.experiment.builders import plant, prepare
from tests.experiment.test_resume import joined, resumed, same


@pytest.mark.parametrize(
    ("corpus", "choice", "letters"),
    [
        ("text", None, "T"),
        ("text", "text", "T"),
        ("text and visual", None, "V"),
        ("text and visual", "text", "T"),
        ("text and visual", "visual+text", "TV"),
    ],
)
def test_every_table_can_be_planned(tmp_path, text_corpora, corpus, choice, letters):
    without = {"hubert"}  # needs a second layer of HuBERT
    names = [name for name in table_names() if name not in without]
    command = prepare(tmp_path, names, data=text_corpora[corpus], seeds="24,", privileged=choice)
    plan = command.plan
    assert plan.privileged == letters
    # Tables that name both streams are the only ones that a corpus with one of them cannot train.
    every = {row.arm.required_streams for each in plan.left_out for row in each.rows}
    assert all({"text", "visual"} <= set(streams) for streams in every)
    seen = {name for task in plan.tasks.values() for name in task.spec.arm.streams}
    assert seen >= {"audio", *{"T": ["text"], "V": ["visual"], "TV": ["text", "visual"]}[letters]}
    paper = [task for each in plan.tables if each.in_paper for row in each.rows for task in row.arm.with_teachers]
    assert {arm.train for arm in paper} == {"A", f"A{letters}"}
    assert command.missing() == list(plan.tasks.values())


def test_runs_with_the_papers_streams_are_the_same_whatever_else_the_corpus_has(tmp_path, text_corpora):
    by_default = prepare(tmp_path, ("table2",), data=text_corpora["text and visual"], seeds="24,")
    asked = prepare(tmp_path, ("table2",), data=text_corpora["text and visual"], seeds="24,", privileged="visual")
    assert list(by_default.plan.tasks) == list(asked.plan.tasks) and by_default.folder == asked.folder
    assert "--privileged" not in asked.text
    text = prepare(tmp_path, ("table2",), data=text_corpora["text and visual"], seeds="24,", privileged="text")
    shared = [task.spec.arm.name for key, task in text.plan.tasks.items() if key in asked.plan.tasks]
    assert shared == ["COGMEN-A", "COGMEN-A-masked"]


@pytest.mark.parametrize(
    ("corpus", "choice", "suffix"),
    [
        ("text", None, ""),
        ("text", "none", "-privileged-none"),
        ("text and visual", "text", "-privileged-text"),
        ("text and visual", "visual+text", "-privileged-visual+text"),
    ],
)
def test_folder_command_and_manifest_name_the_streams(tmp_path, text_corpora, corpus, choice, suffix):
    command = prepare(tmp_path, ("table2",), data=text_corpora[corpus], seeds="24,", privileged=choice)
    assert command.folder.name == f"smoke-paper{suffix}"
    words = shlex.split(command.text)
    assert words[words.index("--privileged") + 1] == (choice or "text")
    plant(command)
    assert command.write_manifest().privileged == (choice or "text")
    again = resumed(command.folder)
    assert same(again, command) and again.plan.privileged == command.plan.privileged and again.missing() == []
    more = prepare(tmp_path, ("table3",), data=text_corpora[corpus], seeds="24,", privileged=choice)
    plant(more)
    assert [each.privileged for each in joined(more).plan.tables] == [command.plan.privileged] * 2


def test_a_manifest_of_an_earlier_version_takes_the_default(tmp_path, text_corpora):
    command = prepare(tmp_path, ("table2",), data=text_corpora["text"], seeds="24,")
    plant(command)
    replace(command.write_manifest(), privileged=None).save(command.folder)
    assert resumed(command.folder).plan.privileged == "T"


def test_tables_name_the_streams_and_judge_no_number_of_other_streams(tmp_path, text_corpora):
    command = prepare(tmp_path, ("table2",), data=text_corpora["text"], seeds="24,25")
    command = command.change(corpus=replace(command.plan.corpus, published=True))
    plant(command, lambda spec: spec.seed - 23)
    (result,) = command.tables()
    verdicts = {
        f"{row}/{context}": cell.verdict for row, cells in result.rows.items() for context, cell in cells.items()
    }
    assert [name for name, verdict in verdicts.items() if verdict] == ["COGMEN-A/A", "COGMEN-A + Mask/A"]
    assert "COGMEN-AT/AT" in verdicts


def test_without_privileged_streams_arms_of_audio_alone_are_trained(tmp_path, text_corpora):
    command = prepare(tmp_path, ("table1", "table2"), data=text_corpora["text"], seeds="24,", privileged="none")
    assert [task.spec.arm.name for task in command.plan.tasks.values()] == ["COGMEN-A", "COGMEN-A-masked"]
    assert command.remarks() == [
        "table2: 4 of 6 rows need a privileged stream",
        "table1: left out, its rows need a privileged stream",
    ]


@pytest.mark.parametrize(
    ("privileged", "kind", "message"),
    [
        ("visual", MissingStream, "corpus text has only .*, so visual cannot be privileged: choose .* text or none"),
        ("words", InvalidArgument, "privileged = 'words' is no choice"),
    ],
)
def test_streams_that_the_corpus_lacks_are_refused(tmp_path, text_corpora, privileged, kind, message):
    with pytest.raises(kind, match=message):
        prepare(tmp_path / "out", ("table2",), data=text_corpora["text"], privileged=privileged)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arm", "privileged", "kind", "message"),
    [
        ("COGMEN-Mask", "none", MissingStream, "arm COGMEN-Mask needs the visual stream, and no stream is privileged"),
        (
            "COGMEN-AT-lstm",
            "visual",
            InvalidDefinition,
            "arm COGMEN-AT-lstm has other .*: choose text with --privileged",
        ),
    ],
)
def test_a_sweep_needs_the_streams_of_its_arm(tmp_path, text_corpora, arm, privileged, kind, message):
    command = prepare(tmp_path, (), data=text_corpora["text and visual"], privileged=privileged)
    with pytest.raises(kind, match=message):
        Sweep.prepare(arm, 2, command.plan, command.context)


def test_a_sweep_trains_on_the_privileged_streams(tmp_path, text_corpora):
    command = prepare(tmp_path, (), data=text_corpora["text and visual"], privileged="visual+text", seeds="24,")
    sweep = Sweep.prepare("COGMEN-Mask", 3, command.plan, command.context)
    assert {trial.arm.streams for trial in sweep.trials} == {("audio", "text", "visual")}
