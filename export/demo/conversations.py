"""Made-up conversations of two speakers from single acted clips, to train the model of ``replicate demo``.

RAVDESS has clips of one actor each. A model of calls has to know relations between two speakers, and that a dialogue
may begin with any emotion, so clips of two actors are drawn into short dialogues. Nothing in them answers anything:
what a model learns from earlier utterances is the speakers' voices. Not in the paper.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch

from replicate.corpus.types import SPLITS
from replicate.features.source import Utterance
from replicate.rng import generator

SPEAKERS = ("first", "second")
# Clips of each speaker in a dialogue.
CLIPS = 7
# How often the training clips are drawn, with other partners and in another order; dev and test clips are drawn once.
DRAWINGS = 2
SEED = 24


def draw(clips: Sequence[Utterance]) -> dict[Utterance, Utterance]:
    """Draw conversations of clips whose dialogues are single actors.

    Within a split, actors are paired: in their order the first time, at random later. An actor without a partner
    speaks alone.

    Returns:
        The utterances of the conversations, dialogue by dialogue, each with the clip that it is.
    """
    found: dict[Utterance, Utterance] = {}
    for split in SPLITS:
        actors: dict[str, list[Utterance]] = {}
        for clip in clips:
            if clip.split == split:
                actors.setdefault(clip.dialogue, []).append(clip)
        for drawing in range(DRAWINGS if split == "train" else 1):
            names = list(actors)
            if drawing:
                draws = generator(SEED, f"partners {drawing}")
                names = [names[i] for i in torch.randperm(len(names), generator=draws)]
            for pair in (names[i : i + 2] for i in range(0, len(names), 2)):
                found |= _of_pair([actors[name] for name in pair], f"{drawing + 1}-{'-'.join(pair)}", drawing)
    return found


def _of_pair(actors: list[list[Utterance]], name: str, drawing: int) -> Iterator[tuple[Utterance, Utterance]]:
    """Draw dialogues of up to ``CLIPS`` clips of each actor, in random order; whoever begins is the first speaker."""
    draws = generator(SEED, f"conversations {name}")
    shuffled = [[clips[i] for i in torch.randperm(len(clips), generator=draws)] for clips in actors]
    for number, start in enumerate(range(0, max(map(len, shuffled)), CLIPS), 1):
        pool = [(actor, clip) for actor, clips in enumerate(shuffled) for clip in clips[start : start + CLIPS]]
        order = [pool[i] for i in torch.randperm(len(pool), generator=draws)]
        speakers = dict(zip(dict.fromkeys(actor for actor, _ in order), SPEAKERS, strict=False))
        for actor, clip in order:
            again = f"/{drawing + 1}" if drawing else ""
            yield replace(clip, dialogue=f"{name}-{number}", name=clip.name + again, speaker=speakers[actor]), clip
