"""Feature streams of one corpus put beside those of another, by the names of dialogues and utterances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from replicate.corpus.provenance import describe
from replicate.corpus.types import Corpus, Dialogue
from replicate.errors import NoMatch

SECOND = "hubert-second-to-last"
# Streams that tables know, and what may have made them where recordings did.
EXTRACTORS = {"audio": "opensmile", "visual": None, "hubert": "hubert", SECOND: "hubert"}


class Merged(NamedTuple):
    """A corpus with one more stream, and which utterances it had to do without.

    Attributes:
        without_stream: utterances of the base, as ``dialogue/utterance``, that the other corpus lacks: dropped.
        unused: utterances of the other corpus that the base lacks.
    """

    corpus: Corpus
    without_stream: tuple[str, ...]
    unused: tuple[str, ...]


def attach(base: Corpus, extra: Corpus, stream: str, drop: bool = False, name: str | None = None) -> Merged:
    """``base`` with the stream of ``extra``; order, splits, speakers and labels are those of ``base``.

    Args:
        name: what the stream is called in the result, if not as in ``extra``.
        drop: leave out utterances that only one of the two has, in place of refusing.

    Raises:
        NoMatch: a corpus has no names of utterances, the stream is there already or missing, the two hold other
            utterances, or disagree on who speaks or which class it is. BadName: ``name`` cannot be one.
    """
    if stream not in extra.widths:
        raise NoMatch(
            f"corpus {extra.name} has no stream {stream!r}, only {', '.join(extra.widths)}: choose with --stream"
        )
    name = stream if name is None else name
    if name in base.widths:
        raise NoMatch(
            f"corpus {base.name} has a stream {name!r} already: attach this one under another name with --as, or merge "
            "into a corpus without it"
        )
    _fit(extra.recipes.get(stream, {}), name)
    for corpus in (base, extra):
        _require_names(corpus)
    others = {dialogue.id: dialogue for dialogue in extra.dialogues}
    mine, theirs = _keys(base), _keys(extra)
    lost = tuple("/".join(key) for key in mine if key not in theirs)
    unused = tuple("/".join(key) for key in theirs if key not in mine)
    if (lost or unused) and not drop:
        raise NoMatch(
            f"{len(lost)} utterances of {base.name} are not in {extra.name}{first(lost)}, and {len(unused)} of "
            f"{extra.name} not in {base.name}{first(unused)}: extract the same ones, or leave them out with --drop"
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
    notes = base.notes
    if lost:
        notes += (f"{len(lost)} utterances dropped that have no {name} features{first(lost)}",)
    recipes = base.recipes | ({name: extra.recipes[stream]} if stream in extra.recipes else {})
    # Only the whole release counts as published.
    published = base.published and not lost
    made = replace(base, dialogues=tuple(dialogues), notes=notes, recipes=recipes, published=published)
    return Merged(made, lost, unused)


def _fit(recipe: Mapping[str, Any], name: str) -> None:
    """Refuse a name under which tables would take a stream for another one, where it is known how it was made."""
    made = recipe.get("extractor")
    if made is None or name not in EXTRACTORS:
        return
    if made != EXTRACTORS[name] or (name == SECOND and recipe.get("layer") == "last"):
        raise NoMatch(f"the stream was made with {describe(recipe)}, and is no {name!r}: choose another name with --as")


def _joined(one: Dialogue, chosen: Sequence[int], attached: dict[str, NDArray[np.float32]]) -> Dialogue:
    """The chosen utterances of ``one``, and what is attached to them."""
    return replace(
        one,
        speakers=one.speakers[chosen],
        labels=one.labels[chosen],
        features={name: array[chosen] for name, array in one.features.items()} | attached,
        utterances=tuple(one.utterances[i] for i in chosen),
    )


def _keys(corpus: Corpus) -> dict[tuple[str, str], int]:
    """(dialogue, utterance) -> its row in the dialogue, in order."""
    return {(dialogue.id, name): i for dialogue in corpus.dialogues for i, name in enumerate(dialogue.utterances)}


def _require_names(corpus: Corpus) -> None:
    unnamed = next((dialogue.id for dialogue in corpus.dialogues if not dialogue.utterances), None)
    if unnamed is not None:
        raise NoMatch(
            f"corpus {corpus.name}, dialogue {unnamed}: its utterances have no names to match by; take "
            "IEMOCAP_features*.pkl of the release (data_iemocap*.pkl lacks them), or a file of `replicate features`"
        )


def _agree(base: Corpus, extra: Corpus, one: Dialogue, other: Dialogue, rows: Sequence[tuple[int, int]]) -> None:
    """Who speaks, and which class it is, must be the same where both corpora use the same names."""
    for what, names, others, mine, theirs in (
        ("speaker", base.speakers, extra.speakers, one.speakers, other.speakers),
        ("label", base.labels, extra.labels, one.labels, other.labels),
    ):
        for i, j in rows:
            said, instead = names[mine[i]], others[theirs[j]]
            if set(others) <= set(names) and said != instead:
                raise NoMatch(
                    f"dialogue {one.id}, utterance {one.utterances[i]}: {what} {said} in {base.name}, {instead} in "
                    f"{extra.name}: they are not the same recordings, or one of them is wrong"
                )


def first(names: Sequence[str], shown: int = 3) -> str:
    """`` (a, b, c, ...)``, or nothing of nothing."""
    return f" ({', '.join(names[:shown])}{', ...' if len(names) > shown else ''})" if names else ""
