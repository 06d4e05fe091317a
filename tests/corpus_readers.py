"""Corpus readers that are registered for the length of one test."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

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


def import_plugin(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    """Import a user's file as ``--config-dir`` does."""
    keep_registry(monkeypatch)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, path.stem, module)
    spec.loader.exec_module(module)
