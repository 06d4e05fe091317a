"""Corpus readers that are registered for the length of one test."""

from __future__ import annotations

import pytest

from replicate.corpus.readers.base import READERS, NamedCorpus, Reader, register


def keep_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget at the end of the test what it registers."""
    READERS.names()  # the built-in ones first
    monkeypatch.setattr(READERS, "_found", dict(READERS._found))
    monkeypatch.setattr(READERS, "_modules", dict(READERS._modules))


def register_corpus(monkeypatch: pytest.MonkeyPatch, name: str, corpus: NamedCorpus) -> None:
    """Give a corpus a name in the catalogue."""
    keep_registry(monkeypatch)
    register("made-up")(type("MadeUp", (Reader,), {"corpora": {name: corpus}}))
