"""Folders of corpus files: what killed processes and macOS leave in them is no data."""

import pytest

from replicate.corpus import archive
from replicate.corpus.loading import load
from replicate.corpus.synthetic import generate
from replicate.errors import UnknownCorpus


@pytest.fixture
def folder(tmp_path):
    archive.write(generate("synthetic-tiny"), tmp_path / "corpus.npz")
    return tmp_path


@pytest.mark.parametrize("name", [".corpus.npz.k1ll3d.npz", "._corpus.npz", ".npz"])
def test_hidden_files_are_no_corpora(folder, name):
    (folder / name).write_bytes(b"half")
    assert load(folder).hash == generate("synthetic-tiny").hash
    (folder / "corpus.npz").unlink()
    with pytest.raises(UnknownCorpus):
        load(folder)


def test_several_corpora_are_ambiguous(folder):
    (folder / "other.npz").write_bytes((folder / "corpus.npz").read_bytes())
    with pytest.raises(UnknownCorpus, match="several"):
        load(folder)
