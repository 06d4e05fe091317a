"""The interface of corpus readers, their registry, and the entries of the corpora that have a name.

A new reader is one file with one class. The file is a module of this package, a module in a folder given with
``--config-dir``, or in an installed package under the entry point group ``replicate.corpus``::

    from pathlib import Path

    from replicate.corpus.readers.base import Reader, register
    from replicate.corpus.types import Corpus, Dialogue

    @register("my-corpus")
    class MyReader(Reader):
        format = "a folder with utterances.json"

        def accepts(self, path: Path) -> bool:
            return (path / "utterances.json").is_file()

        def read(self, path: Path) -> Corpus:
            dialogues = ...  # a tuple of Dialogue
            return Corpus("my-corpus", ("no", "yes"), dialogues)

``--data PATH`` then takes such a path. ``Corpus`` checks every value, and its hash is computed from its content, so
runs on it are found again like those on any other corpus.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from replicate.corpus.catalogue import PublishedFile
from replicate.corpus.types import Corpus
from replicate.registry import Registry

# Licence of this package, and of models whose data ask for no other.
WEIGHTS = "apache-2.0"


@dataclass(frozen=True)
class NamedCorpus:
    """A corpus that can be loaded by its name.

    Attributes:
        what: description in one line.
        licence: one sentence, printed wherever the data is fetched or described.
        source: who made the data, and where it was published.
        files: what ``replicate data fetch`` downloads; none for generated corpora.
        any_file: whether each of the files alone is the whole corpus.
        on_request: whether the licence has to be requested before the data is used.
        language: ISO 639-1 code of the speech; empty if unknown, or if there is no speech.
        dataset: name of the data set, for metadata of models; empty for generated corpora.
        weights: licence of models that are trained on it, as the Hugging Face hub writes it.
    """

    what: str
    licence: str
    source: str
    files: tuple[PublishedFile, ...] = ()
    any_file: bool = False
    on_request: bool = False
    language: str = ""
    dataset: str = ""
    weights: str = WEIGHTS


class Reader:
    """Base class of corpus readers.

    Attributes:
        format: what ``accepts`` recognises, in a few words for messages; empty for a reader of named corpora only.
        corpora: the corpora that ``load`` can load, by name.
        priority: if several readers accept a path, the one with the highest priority reads it; those of this package
            are below 0.
    """

    format: ClassVar[str] = ""
    corpora: ClassVar[Mapping[str, NamedCorpus]] = {}
    priority: ClassVar[int] = 0

    def accepts(self, path: Path) -> bool:
        """Return whether ``read`` is for this file or folder; look at names and suffixes only, not at content."""
        return False

    def read(self, path: Path) -> Corpus:
        """Return the corpus in a file or folder that ``accepts`` recognised.

        Raises:
            ReplicateError: the content is wrong; the message names the file and the place in it.
        """
        raise NotImplementedError(f"{type(self).__name__} has no method read")

    def load(self, name: str, folder: Path) -> Corpus:
        """Return one of ``corpora``; ``folder`` is where its files are.

        Raises:
            ReplicateError: as ``read``.
        """
        return self.read(folder)


READERS: Registry[type[Reader]] = Registry("corpus reader", "replicate.corpus.readers", "replicate.corpus")
register = READERS.register
