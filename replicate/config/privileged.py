"""Privileged streams: those other than audio, which only training sees. ``{P}`` stands for them in TOML files.

The paper's privileged stream is video, and with it every name is exactly the paper's: ``COGMEN-A{P}`` is ``COGMEN-AV``.
With text in its place, or with both, the same files define the same tables: ``COGMEN-AT``, ``COGMEN-ATV``.
"""

from __future__ import annotations

from typing import Any

from replicate.config import folders
from replicate.config.folders import Definition
from replicate.corpus.types import Corpus
from replicate.errors import InvalidArgument, InvalidDefinition, MissingStream
from replicate.suggest import choices
from replicate.training.arm import CONTEXTS, is_audio

PLACEHOLDER = "{P}"
# The paper's choice, and that of every function that reads definitions.
PAPER = "V"
# What ``--privileged`` takes, and the letters of the streams; "none" has none.
CHOICES = {"visual": "V", "text": "T", "visual+text": "TV", "none": ""}


def letters(choice: str) -> str:
    """Return the letters of a choice, such as ``TV`` of ``visual+text``.

    Raises:
        InvalidArgument: the choice is none of ``CHOICES``.
    """
    if choice not in CHOICES:
        raise InvalidArgument(f"privileged = {choice!r} is no choice: {choices(choice, list(CHOICES))}")
    return CHOICES[choice]


def choice(letters: str) -> str:
    """Return the choice of these letters, such as ``visual+text`` of ``TV``."""
    return next(name for name, each in CHOICES.items() if each == letters)


def streams(letters: str) -> tuple[str, ...]:
    """Return the streams of these letters, in the order of columns."""
    return CONTEXTS[letters] if letters else ()


def default(corpus: Corpus) -> str:
    """Return the letters that a corpus has by default: V where it has a visual stream, else T, else none."""
    return next((letter for letter in ("V", "T") if set(CONTEXTS[letter]) <= set(corpus.widths)), "")


def chosen(asked: str | None, corpus: Corpus) -> str:
    """Return the letters of a choice on a corpus; None takes the corpus's default.

    Raises:
        InvalidArgument: see ``letters``. MissingStream: the corpus lacks a stream of the choice.
    """
    if asked is None:
        return default(corpus)
    found = letters(asked)
    lacking = [name for name in streams(found) if name not in corpus.widths]
    if lacking:
        possible = [name for name, each in CHOICES.items() if set(streams(each)) <= set(corpus.widths)]
        raise MissingStream(
            f"corpus {corpus.name} has only the streams {', '.join(corpus.widths)}, so {' and '.join(lacking)} cannot "
            f"be privileged: choose --privileged {' or '.join(possible)}"
        )
    return found


def needed(streams: tuple[str, ...]) -> bool:
    """Return whether some of these streams is privileged, which is any stream that is not audio."""
    return not all(map(is_audio, streams))


def paper_context(context: str, letters: str) -> str:
    """Return the paper's context that stands in the place of one with privileged streams of these letters: AV of AT."""
    return context.replace(letters, PAPER) if letters else context


def filled(tree: Any, letters: str, where: str) -> Any:
    """Return a tree of TOML values with ``{P}`` replaced in all texts and keys; without letters as in the paper.

    Raises:
        InvalidDefinition: two keys of a section become one.
    """
    if isinstance(tree, str):
        return tree.replace(PLACEHOLDER, letters or PAPER)
    if isinstance(tree, list):
        return [filled(each, letters, where) for each in tree]
    if not isinstance(tree, dict):
        return tree
    found: dict[str, Any] = {}
    for key, value in tree.items():
        name = filled(key, letters, where)
        if name in found:
            raise InvalidDefinition(f"{where}: key {name!r} is there twice once {PLACEHOLDER} is {letters or PAPER}")
        found[name] = filled(value, letters, where)
    return found


def sections(name: str, letters: str) -> dict[str, Definition]:
    """Return ``folders.sections`` with ``{P}`` replaced.

    Raises:
        InvalidDefinition: see there, or two sections have the same name with these letters.
    """
    found: dict[str, Definition] = {}
    for key, definition in folders.sections(name).items():
        own, where = filled(key, letters, ""), filled(definition.where, letters, "")
        if own in found:
            raise InvalidDefinition(
                f"{definition.where}: {found[own].where} has the same name once {PLACEHOLDER} is {letters or PAPER}; "
                "rename this one"
            )
        found[own] = Definition(where, filled(definition.content, letters, where))
    return found
