"""Imperfect training data: fewer dialogues, wrong labels, noise on the streams other than audio (not in the paper).

All draws depend on the seed and their purpose only, so that the dialogues of a small share are among those of a larger
one, the labels that are wrong at a low rate are wrong at a higher one, and noise differs in its size alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from replicate.corpus.types import SPLITS, Corpus, Dialogue
from replicate.errors import EmptyDialogue, MissingClass
from replicate.rng import generator
from replicate.training.arm import Arm
from replicate.training.data import Scale


def used_for_training(corpus: Corpus, arm: Arm, seed: int) -> Corpus:
    """Return the corpus with the training dialogues and labels that the arm is trained on; dev and test are the same.

    Raises:
        MissingClass: the share of the dialogues cannot hold every class of the training split.
        EmptyDialogue: it has a single utterance.
    """
    if arm.dialogue_share == 1 and not arm.label_noise:
        return corpus
    train = corpus.split("train")
    if arm.dialogue_share < 1:
        train = _share_of(train, arm, seed, f"{arm.name}, seed {seed}, corpus {corpus.name}")
    if arm.label_noise:
        train = _with_wrong_labels(train, arm.label_noise, len(corpus.labels), seed)
    kept = {dialogue.id: dialogue for dialogue in train}
    dialogues = (kept.get(each.id) if each.split == "train" else each for each in corpus.dialogues)
    return replace(corpus, dialogues=tuple(each for each in dialogues if each is not None))


def with_privileged_noise(corpus: Corpus, arm: Arm, seed: int, scaling: Mapping[str, Scale]) -> Corpus:
    """Return the corpus with the arm's noise on those of its privileged streams that are in ``scaling``.

    Noise of deviation 1 is as large as the stream's own deviation on train. It is drawn once for a seed and split, so
    that what it hides cannot be averaged out over epochs, and a teacher's outputs are computed on the noisy stream.
    """
    if not arm.privileged_noise:
        return corpus
    noisy: dict[str, Dialogue] = {}
    names = [name for name in arm.privileged_streams if name in scaling]
    for split in SPLITS:
        for name in names:
            draws = generator(seed, f"privileged noise, {split}, {name}")
            size = np.float32(arm.privileged_noise) * scaling[name].deviation
            for dialogue in corpus.split(split):
                before = noisy.get(dialogue.id, dialogue)
                drawn: NDArray[np.float32] = torch.randn(before.features[name].shape, generator=draws).numpy()
                features = before.features | {name: before.features[name] + size * drawn}
                noisy[dialogue.id] = replace(before, features=features)
    return replace(corpus, dialogues=tuple(noisy.get(each.id, each) for each in corpus.dialogues))


def _share_of(train: Sequence[Dialogue], arm: Arm, seed: int, where: str) -> list[Dialogue]:
    """Return the arm's share of the dialogues, which has every class, in the corpus's order."""
    share, count = arm.dialogue_share, arm.dialogues_used(len(train))
    order, needed = _order(train, seed)
    if needed > count:
        raise MissingClass(
            f"{where}: dialogue_share = {share} keeps {count} of {len(train)} training dialogues, but {needed} are "
            "needed to have every class: use a larger share"
        )
    kept = [train[i] for i in sorted(order[:count])]
    if sum(map(len, kept)) < 2:
        raise EmptyDialogue(
            f"{where}: dialogue_share = {share} keeps a single training utterance, and BatchNorm needs two or more: "
            "use a larger share"
        )
    return kept


def _order(train: Sequence[Dialogue], seed: int) -> tuple[list[int], int]:
    """Return the dialogues in the order in which larger shares add them, and how many of them have every class.

    The order is random, except that dialogues with classes that are still absent come first.
    """
    waiting: list[int] = torch.randperm(len(train), generator=generator(seed, "dialogues")).tolist()
    absent = {int(label) for dialogue in train for label in dialogue.labels}
    first: list[int] = []
    while absent:
        best = max(waiting, key=lambda i: len(absent.intersection(train[i].labels.tolist())))  # the first of the best
        waiting.remove(best)
        first.append(best)
        absent.difference_update(train[best].labels.tolist())
    return first + waiting, len(first)


def _with_wrong_labels(train: Sequence[Dialogue], share: float, classes: int, seed: int) -> list[Dialogue]:
    """Return the dialogues with a share of all labels replaced by one of the other classes, each equally likely."""
    labels = np.concatenate([dialogue.labels for dialogue in train])
    draws = generator(seed, "label noise")
    order = torch.randperm(len(labels), generator=draws).numpy()
    step = torch.randint(1, classes, (len(labels),), generator=draws).numpy()
    wrong = order[: round(share * len(labels))]
    labels[wrong] = (labels[wrong] + step[wrong]) % classes
    pieces = np.split(labels, np.cumsum([len(dialogue) for dialogue in train])[:-1])
    return [replace(dialogue, labels=piece) for dialogue, piece in zip(train, pieces, strict=True)]
