"""A corpus without some of its dialogues, with the dev split that the released code would have cut."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from replicate.corpus.types import Corpus


def leave_out(corpus: Corpus, ids: Collection[str]) -> Corpus:
    """Return the corpus without the dialogues with these ids, or the same object if there are none.

    The released code drops dialogues before it takes dev from the front of the others. So where dev is the first part
    of the dialogues that are not test, it is cut again, as the same share of those that are left; a dev split that was
    chosen in another way stays.
    """
    reduced = corpus.without(ids)
    before = [dialogue for dialogue in corpus.dialogues if dialogue.split != "test"]
    left = [dialogue.id for dialogue in reduced.dialogues if dialogue.split != "test"]
    dev = len(corpus.split("dev"))
    if reduced is corpus or not left or any(dialogue.split == "train" for dialogue in before[:dev]):
        return reduced
    chosen = set(left[: max(1, dev * len(left) // len(before))])
    dialogues = (
        dialogue if dialogue.split == "test" else replace(dialogue, split="dev" if dialogue.id in chosen else "train")
        for dialogue in reduced.dialogues
    )
    return replace(reduced, dialogues=tuple(dialogues))
