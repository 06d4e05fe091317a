"""Checks of what tables, files and messages will show later of a corpus: numbers of names, notes and recipes.

``Corpus`` itself checks names one by one. What is refused here would otherwise fail after the training.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from replicate.corpus.types import Corpus
from replicate.errors import BadName, TooLarge
from replicate.limits import shown

# Every table has a line or a column for each class and stream. An exported model names its speakers.
MOST = {"classes": 1000, "streams": 1000, "speakers": 10_000}
MOST_NOTES, LONGEST_NOTE = 100, 2000
# A recipe lists at most the columns of the largest feature set of openSMILE, 6,373.
MOST_VALUES, LONGEST_VALUE = 10_000, 1000
_LARGEST, _LARGEST_FLOAT = 2**63, 1e300


def check_texts(corpus: Corpus) -> Corpus:
    """Return the corpus if its notes and recipes can be shown and written wherever they are needed.

    Raises:
        TooLarge: see ``check_numbers``. BadName: a note or a setting of a recipe is empty, too long, or no text; names
            it.
    """
    where = f"corpus {corpus.name}"
    numbers = {"classes": corpus.labels, "streams": corpus.widths, "speakers": corpus.speakers}
    check_numbers({what: len(names) for what, names in numbers.items()}, where)
    if len(corpus.notes) > MOST_NOTES:
        raise BadName(f"{where}: {len(corpus.notes)} notes, which every table would print: keep at most {MOST_NOTES}")
    for number, note in enumerate(corpus.notes, 1):
        problem = _problem(note, LONGEST_NOTE)
        if problem:
            raise BadName(
                f"{where}: note {number} {problem}: every table prints the notes, so write a sentence or none"
            )
    check_recipes(corpus.recipes, where)
    return corpus


def check_numbers(numbers: Mapping[str, int], where: str) -> None:
    """Refuse more classes, streams or speakers than tables can show.

    Raises:
        TooLarge: naming the number and the limit.
    """
    for what, number in numbers.items():
        if number > MOST[what]:
            raise TooLarge(f"{where} has {number:,} {what}, more than {MOST[what]:,}: check the source it is from")


def check_recipes(recipes: Mapping[str, Mapping[str, Any]], where: str) -> None:
    """Refuse recipes that are not JSON values of the expected types.

    Raises:
        BadName: naming stream and setting.
    """
    for stream, recipe in recipes.items():
        place = f"{where}: recipe of stream {str(stream)[:40]!r}"
        for key, value in recipe.items():
            problem = _problem(key, 200) or _problem_of_setting(key, value)
            if problem:
                raise BadName(f"{place}, setting {str(key)[:40]!r} {problem}: extract the features again")


def _problem_of_setting(key: str, value: Any) -> str:
    good, what = _SETTINGS.get(key, (None, ""))
    if good is not None and not good(value):
        return f"is {shown(value)}, not {what}"
    inner = (
        value if isinstance(value, list | tuple) else [*value, *value.values()] if isinstance(value, dict) else [value]
    )
    if len(inner) > MOST_VALUES:
        return f"has {len(inner)} values, more than {MOST_VALUES}"
    return next((problem for each in inner if (problem := _problem_of_value(each))), "")


def _problem_of_value(value: Any) -> str:
    if isinstance(value, str):
        return _problem(value, LONGEST_VALUE) if value else ""
    if value is None or isinstance(value, bool):
        return ""
    if isinstance(value, float):
        return "" if _is_number(value) else f"holds {value}, which no exported model can hold"
    if isinstance(value, int):
        return "" if abs(value) < _LARGEST else "is a number of more than 64 bits"
    return f"holds a {type(value).__name__}, where a text or a number belongs"


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value) and abs(value) < _LARGEST_FLOAT


def _are_names(value: Any) -> bool:
    return (
        isinstance(value, list | tuple)
        and len(value) > 0
        and all(_is_text(each) and each.isprintable() for each in value)
        and len(set(value)) == len(value)
    )


def _are_versions(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_text, (*value, *value.values())))


# What an exported model demands of the settings that it names, see ``export.metadata``: name -> (check, in words).
_SETTINGS: dict[str, tuple[Callable[[Any], bool], str]] = {
    **dict.fromkeys(("extractor", "type", "set", "model", "parameters"), (_is_text, "a text")),
    "layer": (lambda value: _is_text(value) or (type(value) is int and 0 <= value < 2**31), "a layer"),
    "columns": (_are_names, "a list of different names"),
    "weights": (lambda value: isinstance(value, list | tuple) and all(map(_is_number, value)), "a list of numbers"),
    "chunk_seconds": (lambda value: _is_number(value) and 0 < value <= 86_400, "a number of seconds"),
    "versions": (_are_versions, "a version for each package"),
}


def _problem(text: Any, longest: int) -> str:
    """Return why a text cannot be shown, or nothing. Control characters are replaced where it is shown."""
    if not isinstance(text, str):
        return f"is a {type(text).__name__}, not a text"
    if not text.strip():
        return "is empty"
    if len(text) > longest:
        return f"has {len(text)} characters, more than {longest}"
    if any("\ud800" <= c <= "\udfff" for c in text):
        return "has half a character (a surrogate), which no file can hold"
    return ""
