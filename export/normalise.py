"""Adapt the scale of features to a recording that differs from those of the training in microphone, room or speakers.

``predict.py`` of every bundle contains this module.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.bundle_files import BadInput
from export.lines import DialogueFeatures

BY = ("recording", "speaker")
# From so many utterances on, the statistics are the recording's own. Below, those of the training count, too, and with
# one utterance they alone do: it has no deviation, and its own mean would make it zero.
FULL = 10


def normalised(dialogue: DialogueFeatures, scale: dict[str, Any], by: str) -> DialogueFeatures:
    """Give the features of a recording, or of each of its speakers, the mean and deviation of the training.

    A feature x becomes (x - m) / s * deviation + mean, where m and s are between the recording's own statistics, with
    the weight w = min(1, (n - 1) / (FULL - 1)) for n utterances, and those of the training: m by the arithmetic mean, s
    by the geometric one. A feature that is constant in the recording keeps its scale. Not in the paper.

    Args:
        scale: ``mean`` and ``deviation`` of the training.
        by: one of ``BY``.

    Raises:
        BadInput: ``by`` is none of them, or there is not a voice for each utterance.
    """
    if by not in BY:
        raise BadInput(f"cannot normalise by {by[:40]!r}: choose {' or '.join(BY)}")
    mean, deviation = (np.array(scale[name], np.float64) for name in ("mean", "deviation"))
    features = np.asarray(dialogue.features, np.float64)
    who = dialogue.voices or dialogue.speakers
    if len(who) != len(features):
        raise BadInput(f"dialogue {dialogue.id[:100]} has {len(who)} voices for {len(features)} utterances")
    names = np.array([str(name) for name in who]) if by == "speaker" else np.zeros(len(features))
    found = np.empty(features.shape, np.float32)
    for name in np.unique(names):
        own = names == name
        found[own] = _adapted(features[own], mean, deviation)
    return replace(dialogue, features=found)


def unchanged(dialogues: Sequence[Sequence[str]], by: str | None) -> str | None:
    """Return one line on the dialogues that ``normalised`` leaves as they are, or None if there is none.

    Args:
        dialogues: who speaks each utterance, for each dialogue.
    """
    most = [len(who) if by == "recording" else max(Counter(who).values()) for who in dialogues]
    single = most.count(1)
    if not by or not single:
        return None
    where = "" if single == len(most) else f" in {single} of {len(most)} dialogues"
    return f"--normalise {by} changes nothing{where}: it needs two utterances of a {by}"


def _adapted(
    features: NDArray[np.float64], mean: NDArray[np.float64], deviation: NDArray[np.float64]
) -> NDArray[np.float64]:
    weight = min(1.0, (len(features) - 1) / (FULL - 1))
    middle, spread = features.mean(0), features.std(0)
    constant = spread <= 1e-6 * np.abs(features).max(0)
    spread = np.where(constant, deviation, spread) ** weight * deviation ** (1 - weight)
    return (features - weight * middle - (1 - weight) * mean) / spread * deviation + mean
