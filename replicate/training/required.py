"""What training requires of a corpus, checked before anything is trained."""

from __future__ import annotations

from replicate.corpus.types import SPLITS, Corpus
from replicate.errors import EmptyDialogue, MissingClass, MissingSplit, MissingStream


def require(corpus: Corpus, streams: tuple[str, ...]) -> None:
    """Check that a corpus has the streams, all splits, and two classes or more.

    Raises:
        MissingStream, MissingSplit, MissingClass: naming what is missing. EmptyDialogue: the training split has a
            single utterance.
    """
    for name in streams:
        if name not in corpus.widths:
            raise MissingStream(
                f"corpus {corpus.name} has no stream {name!r}, only {', '.join(corpus.widths)}: "
                "choose a table that does not need it, or add the stream to the corpus file"
            )
    if len(corpus.labels) < 2:
        raise MissingClass(
            f"corpus {corpus.name} has only the class {corpus.labels[0]!r}: training needs two classes or more "
            "(`replicate predict` needs none)"
        )
    for split in SPLITS:
        if not corpus.split(split):
            raise MissingSplit(
                f"corpus {corpus.name} has no {split} dialogue: train, dev and test are all needed, because "
                "epochs are chosen on dev and scores are measured on test"
            )
    if sum(map(len, corpus.split("train"))) < 2:
        raise EmptyDialogue(f"corpus {corpus.name} has a single training utterance: BatchNorm needs two or more")
