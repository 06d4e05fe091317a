"""What in a corpus makes scores meaningless or wrong, and can still be trained: noted, and not refused."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from replicate.corpus.types import SPLITS, Corpus

_SHOWN = 3


def warnings(corpus: Corpus, splits: bool = True) -> list[str]:
    """Return a line for everything in a corpus that its user should look at before training.

    Args:
        splits: whether the corpus is trained on its own splits, and not on folds.
    """
    lines = [*_names("classes", corpus.labels), *_names("speakers", corpus.speakers)]
    lines += _names("dialogues", [dialogue.id for dialogue in corpus.dialogues], _same_letters)
    absent = [split for split in SPLITS if not corpus.split(split)]
    if splits and absent and absent != ["train", "dev"]:  # test alone is for prediction
        lines.append(f"no dialogue is in {', '.join(absent)}: training needs train, dev and test")
    lines += _classes(corpus, splits)
    return [*lines, *_constant_streams(corpus), *(_constant_columns(corpus) if splits else ())]


def _same_letters(name: str) -> str:
    return unicodedata.normalize("NFKC", name)


def _same_word(name: str) -> str:
    return "".join(_same_letters(_same_letters(name).casefold()).split())


def _names(what: str, names: Sequence[str], same: Callable[[str], str] = _same_word) -> Iterator[str]:
    """Find names that look the same, or differ in capitals or spaces alone, and are probably one."""
    alike = defaultdict(list)
    for name in names:
        alike[same(name)].append(name)
    for found in alike.values():
        if len({*map(_same_letters, found)}) < len(found):
            yield f"{what} {_listed(found)} are written with other characters that look the same: rename them"
        elif len(found) > 1:
            yield f"{what} {_listed(found)} differ in capitals or spaces alone: rename them if they are one"


def _classes(corpus: Corpus, splits: bool) -> Iterator[str]:
    """Find classes that do not occur, in the corpus or in one of its splits."""
    used = {split: _occurring([dialogue.labels for dialogue in corpus.split(split)]) for split in SPLITS}
    everywhere = set().union(*used.values())
    if len(everywhere) == 1:
        (only,) = everywhere
        yield f"every utterance is of class {corpus.labels[only]}: all scores will be 1, and mean nothing"
        return
    absent = [name for i, name in enumerate(corpus.labels) if i not in everywhere]
    if absent:
        yield f"no utterance is of class {_listed(absent)}"
    for split, found in used.items() if splits else ():
        missing = [corpus.labels[i] for i in sorted(everywhere - found)]
        if found and missing:
            yield f"no utterance of {split} is of class {_listed(missing)}, which other splits have"


def _constant_streams(corpus: Corpus) -> Iterator[str]:
    """Find streams that have the same values everywhere."""
    if sum(map(len, corpus.dialogues)) < 2:
        return
    for stream in corpus.widths:
        first = corpus.dialogues[0].features[stream][0]
        if _all_equal([dialogue.features[stream] for dialogue in corpus.dialogues], first).all():
            yield f"stream {stream} has the same values for every utterance, from which nothing is learned"


def _constant_columns(corpus: Corpus) -> Iterator[str]:
    """Find columns that are constant in train and not elsewhere, from which nothing is learned."""
    others = [dialogue for split in ("dev", "test") for dialogue in corpus.split(split)]
    train = corpus.split("train")
    if not train or not others:
        return
    for stream, width in corpus.widths.items():
        first = train[0].features[stream][0]
        inside = _all_equal([dialogue.features[stream] for dialogue in train], first)
        outside = _all_equal([dialogue.features[stream] for dialogue in others], first)
        columns = np.flatnonzero(inside & ~outside).tolist()
        names = corpus.recipes.get(stream, {}).get("columns", ())
        named = [str(names[i]) if len(names) == width else str(i + 1) for i in columns]
        if columns:
            number = f"{len(columns)} columns are" if len(columns) > 1 else "1 column is"
            yield f"stream {stream}: {number} constant in train and not in dev and test ({_listed(named)})"


def _all_equal(arrays: Sequence[NDArray[np.float32]], row: NDArray[np.float32]) -> NDArray[np.bool_]:
    equal = np.ones(len(row), np.bool_)
    for array in arrays:
        equal &= (array == row).all(0)
    return equal


def _occurring(labels: Sequence[NDArray[np.int64]]) -> set[int]:
    return set(np.unique(np.concatenate(labels)).tolist()) if labels else set()


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
