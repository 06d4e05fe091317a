from __future__ import annotations

from pathlib import Path

import pytest

from export.audio.speakers import speaker_names
from export.predictor import BadInput
from replicate.features.source import UNLABELLED, Source, Utterance


def source(**dialogues: str) -> Source:
    """One utterance for each letter, the speaker."""
    utterances = [
        Utterance(name, f"{name}_{i}", speaker, Path("x.wav"))
        for name, speakers in dialogues.items()
        for i, speaker in enumerate(speakers)
    ]
    return Source("calls", tuple(utterances), (UNLABELLED,))


CASES = [
    # (dialogues, given, model's speakers of the dialogues' speakers in order of appearance)
    ({"x": "MF"}, {}, {"x": "MF"}),
    ({"x": "ABA"}, {}, {"x": "MF"}),
    ({"x": "AF"}, {}, {"x": "MF"}),
    ({"x": "AM"}, {}, {"x": "FM"}),
    ({"x": "AB"}, {"B": "M"}, {"x": "FM"}),
    ({"x": "ABCD"}, {}, {"x": "MFMF"}),
    ({"x": "MFA"}, {}, {"x": "MFM"}),
    # A name means the same speaker again, unless two in a dialogue would be one.
    ({"x": "AB", "y": "BA"}, {}, {"x": "MF", "y": "FM"}),
    ({"x": "AB", "y": "CB"}, {}, {"x": "MF", "y": "MF"}),
    ({"x": "A", "y": "B", "z": "BA"}, {}, {"x": "M", "y": "M", "z": "MF"}),
]


@pytest.mark.parametrize(("dialogues", "given", "expected"), CASES)
def test_unknown_speakers_are_assigned_in_order_of_appearance(
    dialogues: dict[str, str], given: dict[str, str], expected: dict[str, str]
) -> None:
    found, notes = speaker_names(source(**dialogues), given, ("M", "F"))
    for name, speakers in dialogues.items():
        assert "".join(found[name, speaker] for speaker in dict.fromkeys(speakers)) == expected[name]
    assert len(notes) == (set("".join(dialogues.values())) - {"M", "F"} - set(given) != set())


def test_the_note_lists_assignments_once() -> None:
    note = speaker_names(source(x="AB", y="AB"), {}, ("M", "F"))[1][0]
    assert "in order of appearance (A=M, B=F); assign them otherwise with --speaker, such as --speaker A=F" in note
    note = speaker_names(source(x="AB", y="BC", z="M", u="D", v="E"), {}, ("M", "F"))[1][0]
    assert "(x: A=M, B=F; y: B=F, C=M; u: D=M; ...)" in note
    note = speaker_names(source(x="ABCDEFG"), {}, ("only one",))[1][0]
    assert "(A=only one, B=only one, C=only one, D=only one, ...)" in note and "'A=only one'" in note


def test_assignments_that_fit_nothing_are_refused() -> None:
    with pytest.raises(BadInput, match="--speaker 'Z': calls has no such speaker, only A, B"):
        speaker_names(source(x="AB"), {"Z": "M"}, ("M", "F"))
    with pytest.raises(BadInput, match=r"--speaker ...='boss': the model only knows the speakers M, F"):
        speaker_names(source(x="AB"), {"A": "boss"}, ("M", "F"))
