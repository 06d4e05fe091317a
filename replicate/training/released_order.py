"""The order of HuBERT features in the released code, which differs from the order of time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from replicate.corpus.types import Corpus, Dialogue
from replicate.training.config import Arm, Protocol


def apply_feature_order(corpus: Corpus, arm: Arm, protocol: Protocol) -> Corpus:
    """Put labels and HuBERT features in the release's order, if the arm uses HuBERT and the protocol sets that order.

    In that order all utterances of a dialogue's last speaker (F) come first. Speakers and all other streams keep the
    order of time, so that relations, and the streams of an utterance, are misaligned as in the released code.
    """
    if not arm.uses_hubert or protocol.hubert.order == "time":
        return corpus
    speakers = len(corpus.speakers)
    return replace(corpus, dialogues=tuple(_released(dialogue, arm.audio, speakers) for dialogue in corpus.dialogues))


def _released(dialogue: Dialogue, stream: str, speakers: int) -> Dialogue:
    order = np.concatenate([np.flatnonzero(dialogue.speakers == who) for who in reversed(range(speakers))])
    features = dialogue.features | {stream: dialogue.features[stream][order]}
    return replace(dialogue, labels=dialogue.labels[order], features=features)
