"""Cross-validation: the same dialogues in several splits, each a corpus of its own. Not in the paper.

No speaker is in the test split of two folds, or in the test and another split of one fold. Who speaks in a dialogue is
read from the dialogue's id or from the names of the speakers, see ``replicate.corpus.speakers``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from replicate.corpus.speakers import Groups, sessions_of, speaker_groups, speakers_of
from replicate.corpus.types import SPLITS, Corpus, Dialogue, Split
from replicate.errors import BadFolds, MissingClass

# Folds of ``speaker``, and of corpora with more speakers.
MOST_SPEAKER_FOLDS = 5
# One of so many dialogues becomes dev, as in the paper; or one of so many groups of speakers, where there are as many.
DEV_SHARE = 10
# The longest name that a corpus may have.
_LONGEST_NAME = 100


@dataclass(frozen=True)
class Fold:
    """One split of a corpus.

    Attributes:
        number: from 1 to ``count``.
        name: session or speakers of the test split; the number where there are many.
        corpus: all dialogues, in the splits of this fold.
    """

    number: int
    count: int
    name: str
    corpus: Corpus

    @property
    def title(self) -> str:
        """Such as ``fold 2 of 5: Ses02``."""
        named = "" if self.name == str(self.number) else f": {self.name}"
        return f"fold {self.number} of {self.count}{named}"


def folds(corpus: Corpus, how: str, leave_out: Collection[str] = ()) -> tuple[Fold, ...]:
    """Return the folds of a corpus, always the same.

    Args:
        how: "session" (each session is the test split once), "speaker" (each speaker is in the test split of one of at
            most 5 folds), a number K (K folds of whole dialogues, speakers kept apart where they are known), or
            "dev-K" (the test split stays, and each of K portions of the other dialogues is dev once).
        leave_out: dialogues that are dropped before dev is chosen; which fold tests on the others does not change.

    Raises:
        BadFolds: there is no such choice, or the corpus does not allow it. MissingClass: a class is missing in train or
            dev of a fold.
    """
    check_choice(how)
    portions = _portions(corpus, how)
    kept = corpus.without(leave_out)
    made = []
    for number, (name, ids) in enumerate(portions.items(), 1):
        fold = Fold(number, len(portions), name, kept)
        if how.startswith("dev-"):
            splits: dict[str, Split] = {d.id: _dev_fold_split(d, ids) for d in kept.dialogues}
        else:
            dev = _dev(kept, ids)
            splits = {d.id: "test" if d.id in ids else "dev" if d.id in dev else "train" for d in kept.dialogues}
        made.append(_with_splits(fold, splits))
    return tuple(made)


def check_choice(how: str) -> None:
    """Refuse anything but session, speaker, K and dev-K.

    Raises:
        BadFolds: naming what is possible.
    """
    if how not in ("session", "speaker") and _number(how) < 2:
        raise BadFolds(f"folds = {how!r} is none of session, speaker, K and dev-K, where K is a number of 2 or more")


def describe(how: str) -> str:
    """Return a choice of folds in words."""
    if how == "session":
        return "each session is the test split once"
    if how == "speaker":
        return f"each speaker is in the test split of one of at most {MOST_SPEAKER_FOLDS} folds"
    if how.startswith("dev-"):
        return f"the test split stays, and each of {_number(how)} portions of the other dialogues is dev once"
    return f"{_number(how)} folds of whole dialogues, with speakers kept apart where they are known"


def _number(how: str) -> int:
    digits = how.removeprefix("dev-")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 5 else 0


def _portions(corpus: Corpus, how: str) -> Groups:
    """Return the dialogues that each fold tests on, or has as dev, by the name of the fold."""
    if how == "session":
        return _sessions(corpus)
    groups = speaker_groups(corpus)
    if how == "speaker":
        if groups is None:
            raise BadFolds(
                f"corpus {corpus.name}: ids such as {corpus.dialogues[0].id!r} do not tell who speaks, and speakers "
                f"called {' and '.join(corpus.speakers)} may be roles: begin the ids with the speaker (speaker01_...), "
                "give each person a name of their own, or take a number of folds"
            )
        number, named = min(MOST_SPEAKER_FOLDS, len(groups)), len(groups) <= MOST_SPEAKER_FOLDS
        return groups if named and number > 1 else _balanced(corpus, groups, max(number, 2), how)
    chosen = corpus
    if how.startswith("dev-"):
        others = tuple(dialogue for dialogue in corpus.dialogues if dialogue.split != "test")
        chosen = replace(corpus, dialogues=others) if others else corpus
        groups = speaker_groups(chosen)
        if groups is not None and len(groups) < _number(how):
            groups = None  # dev may share speakers with train, as in the paper
    dialogues = {dialogue.id: frozenset([dialogue.id]) for dialogue in chosen.dialogues}
    return _balanced(chosen, dialogues if groups is None else groups, _number(how), how)


def _sessions(corpus: Corpus) -> Groups:
    sessions = sessions_of(corpus)
    if sessions is None:
        raise BadFolds(
            f"corpus {corpus.name}: ids such as {corpus.dialogues[0].id!r} do not begin with a session (Ses01..., "
            "session1...): rename the dialogues, or take --folds speaker or a number of folds"
        )
    where: dict[str, str] = {}
    for id_, speakers in (speakers_of(corpus) or {}).items():
        for speaker in sorted(speakers):
            session = sessions[id_]
            if where.setdefault(speaker, session) != session:
                raise BadFolds(
                    f"corpus {corpus.name}: speaker {speaker} is in {where[speaker]} and {session}, so in the test "
                    "splits of two folds: take --folds speaker, or name the persons and not their roles"
                )
    found: dict[str, set[str]] = defaultdict(set)
    for id_, session in sessions.items():
        found[session].add(id_)
    if len(found) < 2:
        raise BadFolds(f"corpus {corpus.name} has the session {', '.join(found)} alone: take a number of folds")
    return {session: frozenset(ids) for session, ids in found.items()}


def _balanced(corpus: Corpus, groups: Groups, number: int, how: str) -> Groups:
    """Return ``number`` unions of groups, with about equally many utterances.

    The largest group comes first; each is added to the smallest union.
    """
    if len(groups) < number:
        raise BadFolds(
            f"corpus {corpus.name}, folds {how}: {number} folds, but only {len(groups)} groups of dialogues without a "
            "common speaker: " + ("take fewer folds" if len(groups) > 1 else "take dev-K, which keeps the test split")
        )
    lengths = {dialogue.id: len(dialogue) for dialogue in corpus.dialogues}
    order = {dialogue.id: i for i, dialogue in enumerate(corpus.dialogues)}
    found: list[set[str]] = [set() for _ in range(number)]
    for ids in sorted(groups.values(), key=lambda ids: -sum(map(lengths.__getitem__, ids))):
        min(found, key=lambda union: sum(map(lengths.__getitem__, union))).update(ids)
    found.sort(key=lambda union: min(map(order.__getitem__, union)))
    return {str(i): frozenset(union) for i, union in enumerate(found, 1)}


def _dev(corpus: Corpus, test: Collection[str]) -> frozenset[str]:
    """Return the dev dialogues of a fold: a tenth of the groups of speakers, or of the dialogues where groups are few.

    They are evenly spaced in the corpus's order; of several such choices the first that leaves no class without
    utterances in dev or train.
    """
    others = tuple(dialogue for dialogue in corpus.dialogues if dialogue.id not in test)
    if not others:
        return frozenset()
    groups = speaker_groups(replace(corpus, dialogues=others)) or {}
    units = list(groups.values()) if len(groups) >= DEV_SHARE else [frozenset([dialogue.id]) for dialogue in others]
    count = max(1, round(len(units) / DEV_SHARE))
    step = len(units) / count
    choices = [
        frozenset().union(*(units[int(shift + i * step)] for i in range(count))) for shift in range(max(1, int(step)))
    ]
    wanted = _classes(others)
    for dev in choices:
        if wanted == _classes(d for d in others if d.id in dev) == _classes(d for d in others if d.id not in dev):
            return dev
    return choices[0]


def _classes(dialogues: Iterable[Dialogue]) -> set[int]:
    return {int(label) for dialogue in dialogues for label in np.unique(dialogue.labels)}


def _dev_fold_split(dialogue: Dialogue, dev: Collection[str]) -> Split:
    return "test" if dialogue.split == "test" else "dev" if dialogue.id in dev else "train"


def _with_splits(fold: Fold, splits: Mapping[str, Split]) -> Fold:
    """Return the fold with a corpus in these splits.

    Raises:
        BadFolds, MissingClass: a split has no dialogue; train or dev lacks a class that the corpus has.
    """
    corpus = fold.corpus
    dialogues = tuple(replace(dialogue, split=splits[dialogue.id]) for dialogue in corpus.dialogues)
    for split in SPLITS:
        own = [dialogue for dialogue in dialogues if dialogue.split == split]
        if not own:
            raise BadFolds(f"corpus {corpus.name}, {fold.title}: no dialogue is left for {split}: take other folds")
        missing = sorted(_classes(dialogues) - _classes(own))
        if missing and split != "test":
            raise MissingClass(
                f"corpus {corpus.name}, {fold.title}: no utterance of class {corpus.labels[missing[0]]!r} in {split}: "
                "take other folds, or leave the class out"
            )
    made = replace(corpus, dialogues=dialogues, published=False, name=f"{corpus.name}, {fold.title}"[:_LONGEST_NAME])
    # The corpus's own split keeps its name, because its runs are those of a command without folds.
    return replace(fold, corpus=corpus if made.hash == corpus.hash else made)
