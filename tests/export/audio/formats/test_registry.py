from __future__ import annotations

import importlib.util
from dataclasses import replace

import click
import pytest

from export.audio.files import USUAL, write
from export.audio.formats.registry import FORMATS, check
from replicate.cli.predict import predict
from replicate.errors import InvalidArgument, MissingExtra
from tests.export.audio.formats.test_textgrid import TWO


def test_the_help_names_every_format() -> None:
    (option,) = [one for one in predict.params if one.name == "formats"]
    assert isinstance(option, click.Option) and option.help
    words = option.help.replace(",", " ").replace(".", " ").split()
    assert set(FORMATS) <= set(words)


def test_an_unknown_format_is_named() -> None:
    with pytest.raises(InvalidArgument, match=r"no format 'praat': .*there are csv, .*textgrid"):
        check(["srt", "praat"])


@pytest.mark.parametrize(("name", "library"), [("textgrid", "praatio"), ("eaf", "pympi")])
def test_a_missing_library_is_named_before_anything_is_predicted(
    name: str, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("export.audio.formats.registry.find_spec", lambda module: None)
    check(["csv", "srt", "rttm", "whisperx"])
    with pytest.raises(MissingExtra, match=f"{library} not installed, which the format {name} needs"):
        check([name])
    assert importlib.util.find_spec(library)


def test_a_file_of_one_dialogue_holds_one() -> None:
    both = replace(TWO, segments=(*TWO.segments, replace(TWO.segments[0], dialogue="b")))
    for name, each in FORMATS.items():
        if each.several:
            assert "b" in each.text(both)
        else:
            for wrong in (both, replace(TWO, segments=())):
                with pytest.raises(InvalidArgument, match=r"holds one dialogue, not [02]: give one of `dialogues`"):
                    each.text(wrong)
            assert each.text(both.dialogues["a"]) == each.text(TWO), name


def test_a_folder_holds_what_was_chosen(tmp_path) -> None:
    usual = {path.name for path in write(TWO, tmp_path / "a")}
    assert usual == {"timeline.csv", "timeline.json", "a.vtt", "a.png", "a.svg"} and set(USUAL) <= set(FORMATS)
    every = {path.name for path in write(TWO, tmp_path / "b", formats=[*FORMATS, "srt"])}
    assert every - usual == {"timeline.tsv", "timeline.rttm", "a.srt", "a.TextGrid", "a.eaf", "a.json"}
    assert {path.name for path in (tmp_path / "b").iterdir()} == every
