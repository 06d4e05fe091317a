"""Corpus readers that are registered for the length of one test."""

from __future__ import annotations

from replicate.corpus.readers.base import NamedCorpus, Reader, register


def register_corpus(name: str, corpus: NamedCorpus) -> None:
    """Give a corpus a name in the catalogue."""
    register("made-up")(type("MadeUp", (Reader,), {"corpora": {name: corpus}}))
