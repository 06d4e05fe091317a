from __future__ import annotations

from pathlib import Path

import pytest

from replicate.corpus.readers import cogmen
from replicate.corpus.synthetic import PRESETS
from replicate.errors import BadAudio, BadSource, UnexpectedCounts
from replicate.features import iemocap


def test_the_layout_is_recognised(release: Path, tmp_path: Path) -> None:
    assert iemocap.is_release(release)
    assert not iemocap.is_release(tmp_path)


@pytest.mark.parametrize("classes", [4, 6])
def test_labels_speakers_times_and_splits(classes: int, release: Path) -> None:
    found = iemocap.read(release, classes, allow_other_counts=True)
    assert (found.name, found.speakers, found.problems) == (f"iemocap{classes}", ("M", "F"), ())
    assert found.labels == cogmen.LABELS[:classes]
    dialogues = list(dict.fromkeys(one.dialogue for one in found.utterances))
    assert len(dialogues) == 20 and dialogues[0] == "Ses01F_impro00"
    splits = {one.dialogue: one.split for one in found.utterances}
    assert [splits[name] for name in dialogues[:3]] == ["dev", "train", "train"]  # a tenth of sixteen
    assert {name for name, split in splits.items() if split == "test"} == {n for n in splits if n.startswith("Ses05")}
    own = [one for one in found.utterances if one.dialogue == "Ses02M_impro01"]
    names = ["F000", "M001", "F002", "M003", "F004", "M005"][:classes]
    assert [(one.name, one.speaker, one.label) for one in own] == [
        (f"Ses02M_impro01_{name}", name[0], label) for name, label in zip(names, found.labels, strict=True)
    ]
    assert own[0].path == release / "Session2/sentences/wav/Ses02M_impro01/Ses02M_impro01_F000.wav"


def test_other_counts_are_named_and_refused(release: Path) -> None:
    with pytest.raises(UnexpectedCounts) as caught:
        iemocap.read(release)
    for words in ("20 dialogues instead of 151", "20 happy instead of 595", "20 sad instead of 1,084"):
        assert words in str(caught.value)
    assert "excited" not in str(caught.value)
    assert "--allow-other-counts" in str(caught.value)
    assert "20 neutral instead of 1,708" in iemocap.read(release, 4, allow_other_counts=True).notes


def test_the_known_counts_are_those_of_the_licensed_release(release: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert iemocap.COUNTS[:4] == PRESETS["synthetic"].class_counts
    monkeypatch.setattr(iemocap, "RELEASE_DIALOGUES", 20)
    monkeypatch.setattr(iemocap, "COUNTS", (20,) * 6)
    assert len(iemocap.read(release).notes) == 1
    monkeypatch.setattr(iemocap, "COUNTS", (20,) * 5 + (21,))
    with pytest.raises(UnexpectedCounts, match="release: 20 frustrated instead of 21: unpack"):
        iemocap.read(release, 6)


def test_an_utterance_without_a_recording_is_a_problem(release: Path) -> None:
    wav = release / "Session1/sentences/wav/Ses01F_impro00/Ses01F_impro00_F002.wav"
    wav.unlink()
    found = iemocap.read(release, 4, allow_other_counts=True)
    assert len(found.utterances) == 79
    (problem,) = found.problems
    assert isinstance(problem, BadAudio) and str(wav) in str(problem)


@pytest.mark.parametrize(
    "line",
    [
        "[0.1 - 0.2]\tSes01F_impro00_X001\tneu\t[1, 1, 1]",  # no such speaker
        "[0.1 - 0.2]\tSes01F_impro03_F001\tneu\t[1, 1, 1]",  # of another dialogue
        "[0.1 - 0.2]\tSes01F_impro00_F001",
        "[a - b]\tSes01F_impro00_F001\tneu\t[1, 1, 1]",
    ],
)
def test_an_invalid_line_is_refused(line: str, release: Path) -> None:
    path = release / "Session1/dialog/EmoEvaluation/Ses01F_impro00.txt"
    path.write_text(f"% header\n{line}\n")
    with pytest.raises(BadSource, match=r"Ses01F_impro00\.txt, line 2: not an utterance of Ses01F_impro00"):
        iemocap.read(release, 4, allow_other_counts=True)
