"""Fixtures of the experiment: small completed runs, a completed smoke table, and corpora that lack something."""

from dataclasses import replace

import pytest

from replicate.corpus.archive import write
from replicate.corpus.synthetic import generate
from tests.experiment.builders import prepare
from tests.small_runs import corpus, edit, result, saved, small_corpus, store, tables_folder

__all__ = ["corpus", "edit", "result", "store", "saved", "tables_folder"]


@pytest.fixture
def completed(smoke_out):
    """The command of a completed smoke table; do not write into it."""
    return prepare(smoke_out)


@pytest.fixture
def two_tables(tables_folder):
    """A second table that names COGMEN-A under another name."""
    (tables_folder / "table9.toml").write_text(
        'title = "Nine"\nsource = "nowhere"\ncontexts = ["A"]\nin_paper = false\n'
        '[[rows]]\nname = "Base"\narm = "COGMEN-A"\n'
    )


# Dialogues of the tiny corpus, and the names of dialogues that table 4 leaves out on IEMOCAP.
LEFT_OUT = {"Syn01_005": "Ses01F_impro03", "Syn02_010": "Ses02M_impro03", "Syn05_027": "Ses05F_impro07"}


@pytest.fixture
def iemocap(tmp_path):
    """A file of the tiny corpus in which three dialogues are called like some that table 4 leaves out."""
    source = generate("synthetic-tiny")
    dialogues = tuple(replace(d, id=LEFT_OUT.get(d.id, d.id)) for d in source.dialogues)
    assert sum(d.id in LEFT_OUT.values() for d in dialogues) == 3
    assert {d.split for d in dialogues if d.id in LEFT_OUT.values()} == {"train", "test"}
    write(replace(source, name="renamed", dialogues=dialogues), tmp_path / "renamed.npz")
    return tmp_path / "renamed.npz"


@pytest.fixture
def without_hubert(tmp_path):
    """A file of the tiny corpus without the HuBERT stream."""
    source = generate("synthetic-tiny")
    without = [
        replace(d, features={name: array for name, array in d.features.items() if name != "hubert"})
        for d in source.dialogues
    ]
    write(replace(source, name="without-hubert", dialogues=tuple(without)), tmp_path / "without-hubert.npz")
    return tmp_path / "without-hubert.npz"


@pytest.fixture
def audio_only(tmp_path):
    """A file of a corpus with audio alone."""
    source = small_corpus()
    only = tuple(replace(d, features={"audio": d.features["audio"]}) for d in source.dialogues)
    write(replace(source, dialogues=only), tmp_path / "audio-only.npz")
    return tmp_path / "audio-only.npz"


@pytest.fixture(scope="session")
def text_corpora(tmp_path_factory):
    """Files of the tiny corpus with its video renamed to text, and with another stream as text, by their streams."""
    source, folder = generate("synthetic-tiny"), tmp_path_factory.mktemp("text")
    found = {}
    for kind, taken in (("text", {"text": "visual"}), ("text and visual", {"text": "hubert", "visual": "visual"})):
        taken = {"audio": "audio", "hubert": "hubert", **taken}
        dialogues = tuple(
            replace(d, features={name: d.features[other] for name, other in taken.items()}) for d in source.dialogues
        )
        found[kind] = folder / f"{kind.replace(' ', '-')}.npz"
        write(replace(source, name=found[kind].stem, dialogues=dialogues), found[kind])
    return found
