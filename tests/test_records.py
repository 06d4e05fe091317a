"""JSON of limited size and depth, and ranges of the values in records."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

from replicate import records
from replicate.errors import OtherFormat, TooLittleMemory
from replicate.records import check_among, check_format, check_names, check_range, convert, parse_json, read_json


def nested(depth: int) -> str:
    return '{"a": [' * (depth // 2) + "1" + "]}" * (depth // 2)


@pytest.mark.parametrize("depth", [26, 900, 5000, 200_000])
def test_deep_json_is_refused(depth: int) -> None:
    with pytest.raises(ValueError, match="nested deeper than 24 levels"):
        parse_json(nested(depth))
    assert json.dumps(parse_json(nested(24))) == nested(24)


@pytest.mark.parametrize("text", ["", "{", "1 2", "[1,]", "9" * 5000, r'"\ud800"', r'["\uDfff"]', r'{"\udead": 1}'])
def test_values_that_cannot_be_written_again_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_json(text)


@pytest.mark.parametrize("text", ["[" + "[]," * 500_000 + "1]", "[" + "1," * 2_000_001 + "1]"])
def test_more_values_than_any_record_has_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="more than 500,000 lists and objects, or 2,000,000 values"):
        parse_json(text)


@pytest.mark.parametrize("found", [10**4000, -(10**4000)])
def test_long_formats_are_not_printed(found: int) -> None:
    with pytest.raises(OtherFormat, match="format an integer of 13,288 bits"):
        check_format({"format": found}, 2, "it")


def test_characters_in_two_halves_are_read() -> None:
    assert parse_json(r'"\ud83d\ude00 \u00e9"') == "\U0001f600 é"


def test_large_files_are_not_read(tmp_path: Path) -> None:
    with (tmp_path / "large.json").open("wb") as file:
        file.truncate(records.MOST_BYTES + 1)
    with pytest.raises(ValueError, match="33 MiB, where no such file has more than 32 MiB"):
        read_json(tmp_path / "large.json")
    (tmp_path / "latin.json").write_bytes(b'"\xe9"')
    with pytest.raises(ValueError, match="utf-8"):
        read_json(tmp_path / "latin.json")


def test_too_little_memory_is_no_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.json").write_text("1")

    def fails(*_: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(records, "parse_json", fails)
    with pytest.raises(TooLittleMemory, match=r"a\.json"):
        read_json(tmp_path / "a.json")


@dataclass(frozen=True)
class Record:
    number: float | None = 1
    numbers: tuple[float, ...] = ()
    name: str = "a"
    names: tuple[str, ...] = ()
    texts: dict[str, str] | None = None
    kind: Literal["a", "b"] = "a"

    def __post_init__(self) -> None:
        check_range(self, 0, 1, "number", "numbers")
        check_names(self, "name", "names", *(["texts"] if self.texts else []))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"number": 2}, "number = 2.0 is not from 0 to 1"),
        ({"number": math.nan}, "number = nan"),
        ({"number": 10**400}, "number"),
        ({"numbers": [0, -1]}, "numbers = -1"),
        ({"name": "a\x1b"}, r"name has 'a\\x1b'"),
        ({"names": ["a", "b" * 2000]}, r"names has 'b{40}'\.\.\., which is no short"),
        ({"texts": {"a\n": "b"}}, "texts has"),
        ({"texts": {"a": "b\n"}}, "texts has"),
        ({"kind": "c" * 5000}, r"Invalid enum value 'c{100,} \.\.\. c{100,}"),
    ],
)
def test_values_out_of_range_are_named(content: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        convert(content, Record)
    assert len(str(caught.value)) < 500


def test_values_in_range_are_kept() -> None:
    content = {"number": None, "numbers": [0, 0.5, 1], "names": ["é"], "texts": {"a": "b"}}
    assert convert(content, Record) == Record(None, (0, 0.5, 1), "a", ("é",), {"a": "b"})


def test_one_of_a_few() -> None:
    check_among(Record(), "name", ("a", "b"))
    with pytest.raises(ValueError, match="name = 'c' is none of 'a', 'b'"):
        check_among(Record(name="c"), "name", ("a", "b"))
