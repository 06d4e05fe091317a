from __future__ import annotations

from pathlib import Path

import pytest

from replicate.errors import BadAudio, BadSource
from replicate.features.source import Source, Utterance, class_names, measure, refuse, seconds
from tests.recordings import tone, write_wav


def utterance(path: Path, name: str = "u", start: float = 0, stop: float | None = None) -> Utterance:
    return Utterance("d", name, "M", path, start=start, stop=stop)


def test_durations_are_measured_and_wrong_utterances_left_out(tmp_path: Path) -> None:
    low = write_wav(tmp_path / "low.wav", tone(0.5, 8_000), 8_000)
    high = write_wav(tmp_path / "high.wav", tone(0.25))
    given = (
        utterance(low, "a"),
        utterance(high, "b", 0.05, 0.2),
        utterance(high, "c", 0.05, 0.26),  # rounding
        utterance(high, "d", 0.05, 0.4),
        utterance(tmp_path / "absent.wav", "e"),
        utterance(tmp_path / "absent.wav", "f"),
    )
    found, seconds = measure(Source("s", given, ("unlabelled",)))
    assert [one.name for one in found.utterances] == ["a", "b", "c"]
    assert found.utterances[2].stop == 0.25
    assert seconds == pytest.approx((0.5, 0.15, 0.2))
    assert found.warnings == (
        "1 utterance was recorded below 16 kHz: without high frequencies, features are less reliable",
    )
    assert [type(problem) for problem in found.problems] == [BadSource, BadAudio]
    assert "utterance d ends at 0.4 s, but" in str(found.problems[0])


def test_of_a_recording_that_is_cut_what_is_there_is_kept_and_the_cut_a_problem(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "call.wav", tone(1))
    path.write_bytes(path.read_bytes()[:16_044])
    given = (utterance(path, "a", 0, 0.4), utterance(path, "b", 0.4, 0.6), utterance(path, "c"))
    found, seconds = measure(Source("s", given, ("unlabelled",)))
    assert ([one.name for one in found.utterances], seconds) == (["a"], (0.4,))
    assert [str(problem)[:40] for problem in found.problems] == [
        f"{path} is cut short: it declares"[:40],
        f"utterance b ends at 0.6 s, but {path}"[:40],
    ]


def test_warnings_of_headers_name_the_first_recording(tmp_path: Path) -> None:
    paths = [write_wav(tmp_path / f"{name}.wav", tone(0.2)) for name in "ab"]
    for path in paths:
        content = path.read_bytes()
        path.write_bytes(content.replace(b"data\0\x19\0\0", b"data\xff\xff\xff\xff"))
    (warning,) = measure(Source("s", tuple(map(utterance, paths)), ("unlabelled",)))[0].warnings
    assert warning.startswith(f"{paths[0]} and 1 more: declares no length")


def test_an_utterance_of_hours_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("replicate.features.audio.LONGEST", 0)
    found, _ = measure(Source("s", (utterance(write_wav(tmp_path / "a.wav", tone(0.2))),), ("unlabelled",)))
    assert "list its segments with --segments" in str(found.problems[0]) and not found.utterances


def test_the_first_problem_is_raised(tmp_path: Path) -> None:
    refuse(())
    with pytest.raises(BadAudio, match=r"^no sound; --drop leaves such utterances out"):
        refuse([BadAudio("no sound")])
    with pytest.raises(BadSource, match=r"^no line; and 1 more problems; --drop"):
        refuse([BadSource("no line"), BadAudio("no sound")])


def test_speakers_are_numbered_as_in_the_paper_where_they_can_be(tmp_path: Path) -> None:
    def speakers(*names: str) -> tuple[str, ...]:
        return Source("s", tuple(Utterance("d", "u", name, tmp_path) for name in names), ("a",)).speakers

    assert speakers("F", "M") == speakers("F") == ("M", "F")
    assert speakers("B", "A", "B") == ("B", "A")


def test_labels_are_all_or_none(tmp_path: Path) -> None:
    def labelled(*labels: str) -> list[Utterance]:
        return [Utterance("d", f"u{i}", "M", tmp_path, label) for i, label in enumerate(labels)]

    assert class_names(labelled("sad", "angry", "sad")) == ("angry", "sad")
    assert class_names(labelled("", "")) == ("unlabelled",)
    with pytest.raises(BadSource, match="utterance u1 has no label"):
        class_names(labelled("sad", ""))


@pytest.mark.parametrize(
    ("text", "found"),
    [("12", 12), ("-.5", -0.5), ("1.5e2", 150), ("5.", 5), ("1_0", None), ("nan", None), ("inf", None), ("", None)]
    + [("\u0661\u0662", None), ("1,5", None), ("00:01", None), ("0x10", None)],
)
def test_times_are_plain_decimal_numbers(text: str, found: float | None) -> None:
    assert seconds(text) == found
