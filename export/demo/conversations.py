"""Made-up conversations of two speakers from single acted clips, to train the model of ``replicate demo``.

RAVDESS has clips of one actor each. A model of calls has to know relations between two speakers, and that a dialogue
may begin with any emotion, so clips of two actors are drawn into short dialogues. Nothing in them answers anything:
what a model learns from earlier utterances is the speakers' voices. Not in the paper.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import torch

from replicate.features.folder import listed, only_table
from replicate.features.source import Utterance
from replicate.files import write_text
from replicate.rng import generator

SPEAKERS = ("first", "second")
# Clips of each speaker in a dialogue.
CLIPS = 7
SEED = 24


def write(recordings: Path, out: Path) -> int:
    """Write the CSV of the conversations that the clips of a folder make; returns how many.

    The folder's own CSV has one dialogue for each speaker. Speakers of a split are paired in their order, so that every
    clip is in one conversation, and a speaker without a partner speaks alone.

    Raises:
        BadSource: see ``replicate.features.folder.read``.
    """
    lines, _ = listed(only_table(recordings))
    actors: dict[str, list[Utterance]] = {}
    for line in lines:
        actors.setdefault(line.utterance.dialogue, []).append(line.utterance)
    rows, count = io.StringIO(), 0
    table = csv.writer(rows, lineterminator="\n")
    table.writerow(("dialogue", "utterance", "speaker", "label", "split"))
    for split in ("train", "dev", "test"):
        own = [name for name, clips in actors.items() if clips[0].split == split]
        for pair in (own[i : i + 2] for i in range(0, len(own), 2)):
            for number, talk in enumerate(_conversations([actors[name] for name in pair], "-".join(pair)), 1):
                count += 1
                name = f"{'-'.join(pair)}-{number}"
                table.writerows((name, one.name, who, one.label, split) for who, one in talk)
    write_text(out, rows.getvalue())
    return count


def _conversations(actors: list[list[Utterance]], name: str) -> Iterator[list[tuple[str, Utterance]]]:
    """Draw dialogues of up to ``CLIPS`` clips of each actor, in random order; whoever begins is the first speaker."""
    draws = generator(SEED, f"conversations of {name}")
    shuffled = [[clips[i] for i in torch.randperm(len(clips), generator=draws)] for clips in actors]
    for start in range(0, max(map(len, shuffled)), CLIPS):
        pool = [(actor, one) for actor, clips in enumerate(shuffled) for one in clips[start : start + CLIPS]]
        order = [pool[i] for i in torch.randperm(len(pool), generator=draws)]
        names = dict(zip(dict.fromkeys(actor for actor, _ in order), SPEAKERS, strict=False))
        yield [(names[actor], one) for actor, one in order]
