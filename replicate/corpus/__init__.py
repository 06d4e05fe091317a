"""Corpora: what they are, and how to get one by name or from a file."""

from __future__ import annotations

import os
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

from replicate.corpus.catalogue import CATALOGUE
from replicate.corpus.types import SPLITS, Corpus, Dialogue, Split
from replicate.errors import ReplicateError, UnknownCorpus

__all__ = ["CATALOGUE", "SPLITS", "Corpus", "Dialogue", "Split", "data_folder", "is_here", "load"]

# The raw features come first: they are what the paper's code starts from.
PICKLES = ("IEMOCAP_features_4.pkl", "data_iemocap_4.pkl", "IEMOCAP_features.pkl", "data_iemocap.pkl")


def load(name_or_path: str | Path, data_dir: Path | str | None = None) -> Corpus:
    """A corpus by its name in the catalogue, or from a path.

    A path is an ``.npz`` of ours, a ``.pkl`` of the COGMEN release, or a folder with the MOSI files, an IEMOCAP
    pickle or one ``.npz``. ``data_dir`` says where the files of a named corpus are; without it see
    ``data_folder``.

    Raises:
        UnknownCorpus: no such name or path, or its files are not on this machine.
        ReplicateError: whatever the reader finds wrong, see ``replicate.errors``.
    """
    if isinstance(name_or_path, str) and name_or_path in CATALOGUE:
        return _named(name_or_path, data_dir)
    path = Path(name_or_path)
    if path.is_dir():
        return _from_folder(path)
    if path.is_file() and path.suffix in (".npz", ".pkl"):
        return _from_file(path)
    what = f"{path} is neither .npz nor .pkl" if path.is_file() else f"no corpus and no file {str(name_or_path)!r}"
    near = get_close_matches(str(name_or_path), CATALOGUE, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise UnknownCorpus(f"{what}: known corpora are {', '.join(CATALOGUE)}{hint}")


def data_folder(name: str, data_dir: Path | str | None = None) -> Path:
    """Where the files of a named corpus are: ``data_dir``, ``$REPLICATE_DATA/<name>``, or the user's cache."""
    if data_dir is not None:
        return Path(data_dir)
    if os.environ.get("REPLICATE_DATA"):
        return Path(os.environ["REPLICATE_DATA"]) / name
    import pooch  # slow to import

    return Path(pooch.os_cache("bridging-modalities")) / name


def is_here(name: str, data_dir: Path | str | None = None) -> bool:
    """Whether a named corpus can be loaded without fetching; content is checked only by loading."""
    entry = CATALOGUE[name]
    found = [(data_folder(name, data_dir) / file.local).is_file() for file in entry.files]
    # Either of the two IEMOCAP pickles is the whole corpus; MOSI needs every file.
    return any(found) if name.startswith("iemocap") else all(found)


def _named(name: str, data_dir: Path | str | None) -> Corpus:
    entry = CATALOGUE[name]
    if not entry.files:
        from replicate.corpus.synthetic import generate

        return generate(name)
    folder = data_folder(name, data_dir)
    if not is_here(name, data_dir):
        terms = f" ({entry.licence})" if name.startswith("iemocap") else ""
        raise UnknownCorpus(
            f"corpus {name} is not in {folder}: get it with `replicate data fetch {name}`, or point to its files "
            f"with --data-dir or REPLICATE_DATA{terms}"
        )
    if name == "mosi":
        return _from_folder(folder)
    from replicate.corpus import cogmen

    here = [file.local for file in entry.files if (folder / file.local).is_file()]
    return cogmen.read(folder / min(here, key=PICKLES.index), name)


def _from_file(path: Path) -> Corpus:
    if path.suffix == ".npz":
        from replicate.corpus import archive

        return _recognised(archive.read(path))
    from replicate.corpus import cogmen

    return cogmen.read(path)


def _recognised(corpus: Corpus) -> Corpus:
    """The corpus, marked as published if it is the release on this machine with other streams beside, or none.

    A file of ours cannot call itself published, since anybody can write one.
    """
    if corpus.name != "iemocap4" or not is_here(corpus.name):
        return corpus
    try:
        release = _named(corpus.name, None)
    except ReplicateError:
        return corpus
    if not release.published or not set(release.widths) <= set(corpus.widths):
        return corpus
    same = tuple(
        replace(dialogue, features={name: dialogue.features[name] for name in release.widths})
        for dialogue in corpus.dialogues
    )
    return replace(corpus, published=replace(corpus, dialogues=same).hash == release.hash)


def _from_folder(folder: Path) -> Corpus:
    if (folder / "transcripts.csv").is_file():
        from replicate.corpus import mosi

        return mosi.read(folder)
    pickles = [folder / name for name in PICKLES if (folder / name).is_file()]
    found = pickles[:1] or sorted(folder.glob("*.npz"))
    if len(found) != 1:
        raise UnknownCorpus(
            f"{folder} holds {'several .npz' if found else 'no corpus'}: it needs transcripts.csv of MOSI, a "
            f"pickle of IEMOCAP or one .npz; known corpora are {', '.join(CATALOGUE)}"
        )
    return _from_file(found[0])
