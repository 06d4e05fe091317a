"""Add a feature stream of one corpus to another; utterances are matched by their names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from replicate.corpus.provenance import ENCODER_EXTRACTORS, TEXT, describe
from replicate.corpus.synthetic import NOTES
from replicate.corpus.types import Corpus, Dialogue
from replicate.errors import NoMatch

SECOND = "hubert-second-to-last"
# Streams that tables use, and the extractors that each may come from if it was extracted by this package.
EXTRACTORS: dict[str, tuple[str, ...]] = {
    "audio": ("opensmile", "acoustic"),
    "visual": (),
    "text": TEXT,
    "hubert": ENCODER_EXTRACTORS,
    SECOND: ENCODER_EXTRACTORS,
}


class Merged(NamedTuple):
    """A corpus with one more stream, and the utterances that were dropped.

    Attributes:
        without_stream: dropped utterances of the base, as ``dialogue/utterance``, which the other corpus lacks.
        unused: utterances of the other corpus that the base lacks.
    """

    corpus: Corpus
    without_stream: tuple[str, ...]
    unused: tuple[str, ...]


def attach(base: Corpus, extra: Corpus, stream: str, drop: bool = False, name: str | None = None) -> Merged:
    """Return ``base`` with a stream of ``extra``; order, splits, speakers and labels are those of ``base``.

    Args:
        name: name of the stream in the result; by default its name in ``extra``.
        drop: drop utterances that only one of the two has, instead of raising NoMatch.

    Raises:
        NoMatch: a corpus has no names of utterances, the stream exists already or is missing, or the two differ in
            utterances, speakers or labels. BadName: ``name`` is not a valid name of a stream.
    """
    if stream not in extra.widths:
        raise NoMatch(
            f"corpus {extra.name} has no stream {stream!r}: choose one of {', '.join(extra.widths)} with --stream"
        )
    name = stream if name is None else name
    if name in base.widths:
        raise NoMatch(
            f"corpus {base.name} already has a stream {name!r}: choose another name with --as, or merge into a corpus "
            "without it"
        )
    _require_extractor(extra.recipes.get(stream, {}), name)
    for corpus in (base, extra):
        require_names(corpus)
    others = {dialogue.id: dialogue for dialogue in extra.dialogues}
    mine, theirs = _keys(base), _keys(extra)
    lost = tuple("/".join(key) for key in mine if key not in theirs)
    unused = tuple("/".join(key) for key in theirs if key not in mine)
    if (lost or unused) and not drop:
        raise NoMatch(
            f"{len(lost)} utterances of {base.name} are not in {extra.name}{first(lost)}, and {len(unused)} of "
            f"{extra.name} not in {base.name}{first(unused)}: extract the same ones, or drop these with --drop"
        )
    dialogues = []
    for dialogue in base.dialogues:
        keys = [(dialogue.id, utterance) for utterance in dialogue.utterances]
        rows = [(i, theirs[key]) for i, key in enumerate(keys) if key in theirs]
        if rows:
            _agree(base, extra, dialogue, others[dialogue.id], rows)
            attached = others[dialogue.id].features[stream][[j for _, j in rows]]
            dialogues.append(_joined(dialogue, [i for i, _ in rows], {name: attached}))
    if not dialogues:
        raise NoMatch(f"corpora {base.name} and {extra.name} have no utterance in common: compare their names")
    base = _without_control(base, extra, name)
    notes = base.notes
    if lost:
        notes += (f"{len(lost)} utterances dropped that have no {name} features{first(lost)}",)
    recipes = base.recipes | ({name: extra.recipes[stream]} if stream in extra.recipes else {})
    # Only the complete release counts as published.
    published = base.published and not lost
    made = replace(base, dialogues=tuple(dialogues), notes=notes, recipes=recipes, published=published)
    return Merged(made, lost, unused)


def _without_control(base: Corpus, extra: Corpus, name: str) -> Corpus:
    """Return a control as none, if it gets a stream from elsewhere: what that stream carries is unknown."""
    if base.control in ("", extra.control):
        return base
    note = f"generated features of a {base.control} control, which is none with {name} of {extra.name}"
    return replace(base, control="", notes=(*(each for each in base.notes if each != NOTES[base.control]), note))


def _require_extractor(recipe: Mapping[str, Any], name: str) -> None:
    """Refuse a name that tables use for the stream of another extractor or layer."""
    made = recipe.get("extractor")
    if made is None or name not in EXTRACTORS:
        return
    if made not in EXTRACTORS[name] or (name == SECOND and recipe.get("layer") == "last"):
        raise NoMatch(
            f"the stream was extracted with {describe(recipe)}, not what tables expect as {name!r}: choose another "
            "name with --as"
        )


def _joined(one: Dialogue, chosen: Sequence[int], attached: dict[str, NDArray[np.float32]]) -> Dialogue:
    """Return the chosen utterances of a dialogue with additional streams."""
    return replace(
        one,
        speakers=one.speakers[chosen],
        labels=one.labels[chosen],
        features={name: array[chosen] for name, array in one.features.items()} | attached,
        utterances=tuple(one.utterances[i] for i in chosen),
    )


def _keys(corpus: Corpus) -> dict[tuple[str, str], int]:
    """Return the row of each (dialogue, utterance) in its dialogue, in order."""
    return {(dialogue.id, name): i for dialogue in corpus.dialogues for i, name in enumerate(dialogue.utterances)}


def require_names(corpus: Corpus) -> None:
    """Refuse a corpus whose utterances have no names.

    Raises:
        NoMatch: naming the first such dialogue.
    """
    unnamed = next((dialogue.id for dialogue in corpus.dialogues if not dialogue.utterances), None)
    if unnamed is not None:
        raise NoMatch(
            f"corpus {corpus.name}, dialogue {unnamed}: its utterances have no names to match by; use "
            "IEMOCAP_features*.pkl of the release (data_iemocap*.pkl has no names), or a file of `replicate features`"
        )


def _agree(base: Corpus, extra: Corpus, one: Dialogue, other: Dialogue, rows: Sequence[tuple[int, int]]) -> None:
    """Refuse different speakers or labels of the same utterance, if both corpora use the same names for them."""
    for what, names, others, mine, theirs in (
        ("speaker", base.speakers, extra.speakers, one.speakers, other.speakers),
        ("label", base.labels, extra.labels, one.labels, other.labels),
    ):
        for i, j in rows:
            ours, other_value = names[mine[i]], others[theirs[j]]
            if set(others) <= set(names) and ours != other_value:
                raise NoMatch(
                    f"dialogue {one.id}, utterance {one.utterances[i]}: {what} {ours} in {base.name}, {other_value} "
                    f"in {extra.name}: they are not the same recordings, or one corpus is wrong"
                )


def first(names: Sequence[str], shown: int = 3) -> str:
    """Return the first names as `` (a, b, c, ...)``, or an empty text if there are none."""
    return f" ({', '.join(names[:shown])}{', ...' if len(names) > shown else ''})" if names else ""
