"""Checks of the texts of a corpus that tables, files and messages will show later: names, notes and recipes.

``Corpus`` itself checks names one by one. What is refused here would otherwise fail after the training.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from replicate.corpus.types import Corpus
from replicate.errors import BadName

MOST_NOTES, LONGEST_NOTE = 100, 2000
# A recipe lists at most the columns of the largest feature set of openSMILE, 6,373.
MOST_VALUES, LONGEST_VALUE = 20_000, 1000
_LARGEST = 2**63


def check_texts(corpus: Corpus) -> Corpus:
    """Return the corpus if its notes and recipes can be shown and written wherever they are needed.

    Raises:
        BadName: a note or a setting of a recipe is empty, too long, or no text; names it.
    """
    where = f"corpus {corpus.name}"
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
    if key == "columns" and not _is_list_of_texts(value):
        return "is not a list of names"
    if key == "versions" and not (isinstance(value, dict) and _is_list_of_texts([*value, *value.values()])):
        return "is not a version for each package"
    inner = (
        value if isinstance(value, list | tuple) else [*value, *value.values()] if isinstance(value, dict) else [value]
    )
    if len(inner) > MOST_VALUES:
        return f"has {len(inner)} values, more than {MOST_VALUES}"
    return next((problem for each in inner if (problem := _problem_of_value(each))), "")


def _problem_of_value(value: Any) -> str:
    if isinstance(value, str):
        return _problem(value, LONGEST_VALUE) if value else ""
    if value is None or isinstance(value, bool | float):
        return ""
    if isinstance(value, int):
        return "" if abs(value) < _LARGEST else "is a number of more than 64 bits"
    return f"holds a {type(value).__name__}, where a text or a number belongs"


def _is_list_of_texts(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(each, str) for each in value)


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
