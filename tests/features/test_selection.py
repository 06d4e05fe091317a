from __future__ import annotations

from pathlib import Path

from replicate.errors import BadAudio
from replicate.features import iemocap
from replicate.features.selection import like
from tests.corpus.conftest import corpus, dialogue


def test_utterances_of_a_corpus_keep_order_labels_speakers_and_splits() -> None:
    two = corpus(
        dialogue("b", split="test", utterances=("b2", "b1")), dialogue("a", utterances=("x", "y")), speakers=("F", "M")
    )
    found = like(two, lambda id_, name: BadAudio(f"no {name}") if name == "y" else Path(id_) / name)
    assert [(one.path, one.dialogue, one.name, one.speaker, one.label, one.split) for one in found.utterances] == [
        (Path("b/b2"), "b", "b2", "F", "no", "test"),
        (Path("b/b1"), "b", "b1", "M", "yes", "test"),
        (Path("a/x"), "a", "x", "F", "no", "train"),
    ]
    assert [str(problem) for problem in found.problems] == ["no y"]


def test_recordings_of_the_iemocap_release_by_the_selection_of_another_corpus(release: Path) -> None:
    """Utterances on which USC's annotators did not agree have no class, and can be selected all the same."""
    name = "Ses02M_impro01"
    evaluations = release / "Session2" / "dialog" / "EmoEvaluation" / f"{name}.txt"
    evaluations.write_text(evaluations.read_text().replace("\thap\t", "\txxx\t"))
    assert name + "_F000" not in {one.name for one in iemocap.read(release, 4, allow_other_counts=True).utterances}
    selected = corpus(dialogue(name, split="dev", utterances=(f"{name}_F000", f"{name}_F999")))
    found = iemocap.read(release, 4, allow_other_counts=True, like=selected)
    (one,) = found.utterances
    assert (one.name, one.label, one.split) == (f"{name}_F000", "no", "dev")
    assert one.path == release / "Session2/sentences/wav" / name / f"{name}_F000.wav"
    (problem,) = found.problems
    assert f"{name}_F999 has no recording" in str(problem)
