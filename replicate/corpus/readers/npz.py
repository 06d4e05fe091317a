"""Corpus files of this package, see ``replicate.corpus.archive``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from replicate.corpus import archive, loading
from replicate.corpus.readers.base import Reader, register
from replicate.corpus.types import Corpus
from replicate.errors import ReplicateError, UnknownCorpus
from replicate.files import visible


@register("npz")
class NpzReader(Reader):
    """Corpus files that this package wrote, or that were made by hand in the same format."""

    format = "an .npz of `replicate data convert` or `replicate features`, or a folder with one"
    priority = -3  # published files in the same folder are preferred, because an .npz may hold anything

    def accepts(self, path: Path) -> bool:
        """Recognise a file by its suffix, and a folder by such a file in it."""
        return path.suffix == ".npz" if path.is_file() else bool(visible(path, "*.npz"))

    def read(self, path: Path) -> Corpus:
        """Return the corpus in a file, or in the only one of a folder.

        Raises:
            UnknownCorpus: the folder holds several. ReplicateError: see ``archive.read``.
        """
        files = [path] if path.is_file() else visible(path, "*.npz")
        if len(files) > 1:
            raise UnknownCorpus(f"{path} holds several .npz: give the path of one of them")
        return _compared_with_release(archive.read(files[0]))


def _compared_with_release(corpus: Corpus) -> Corpus:
    """Mark the corpus as published if it is the release on this machine, with or without further streams.

    The file itself cannot say so, since anybody can write one.
    """
    if corpus.name != "iemocap4" or not loading.is_here(corpus.name):
        return corpus
    try:
        release = loading.load(corpus.name)
    except ReplicateError:
        return corpus
    if not release.published or not set(release.widths) <= set(corpus.widths):
        return corpus
    same = tuple(
        replace(dialogue, features={name: dialogue.features[name] for name in release.widths})
        for dialogue in corpus.dialogues
    )
    return replace(corpus, published=replace(corpus, dialogues=same).hash == release.hash)
