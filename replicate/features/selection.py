"""The utterances of another corpus as a source, so that features fit to it, such as COGMEN's selection of IEMOCAP."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from replicate.corpus.merge import require_names
from replicate.corpus.types import Corpus
from replicate.errors import ReplicateError
from replicate.features.source import Source, Utterance


def like(corpus: Corpus, path_of: Callable[[str, str], Path | ReplicateError]) -> Source:
    """Return the utterances of a corpus in its order, with its dialogues, speakers, labels and splits.

    Args:
        path_of: the recording or file of (dialogue, utterance), or the problem that there is none.

    Raises:
        NoMatch: the utterances of the corpus have no names.
    """
    require_names(corpus)
    utterances: list[Utterance] = []
    problems: list[ReplicateError] = []
    for dialogue in corpus.dialogues:
        for i, name in enumerate(dialogue.utterances):
            path = path_of(dialogue.id, name)
            if isinstance(path, ReplicateError):
                problems.append(path)
                continue
            speaker, label = corpus.speakers[dialogue.speakers[i]], corpus.labels[dialogue.labels[i]]
            utterances.append(Utterance(dialogue.id, name, speaker, path, label, dialogue.split))
    return Source(corpus.name, tuple(utterances), corpus.labels, (), tuple(problems))
