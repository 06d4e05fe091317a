from __future__ import annotations

import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from replicate.corpus import Corpus, archive, data_folder, is_here, load, named_corpora
from replicate.corpus.readers import cogmen, synthetic
from replicate.corpus.synthetic import NEGATIVE, PRESETS
from replicate.errors import NotThisFormat, TooLittleMemory, UnknownCorpus

from .conftest import corpus, dialogue
from .readers.test_cogmen import release


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep tests away from data on this machine."""
    monkeypatch.setenv("REPLICATE_DATA", str(tmp_path / "data"))


@pytest.mark.parametrize("name", ["synthetic", "synthetic-small", "synthetic-tiny"])
def test_generated_corpora_come_from_the_generator(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthetic, "generate", lambda name: corpus(dialogue(), name=name))
    assert load(name).name == name
    assert is_here(name)


def test_every_preset_is_in_the_catalogue() -> None:
    assert {*PRESETS, *NEGATIVE} == {name for name, entry in named_corpora().items() if not entry.files}


def test_the_folder_of_a_named_corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert data_folder("mosi", tmp_path) == tmp_path
    assert data_folder("mosi", str(tmp_path)) == tmp_path
    assert data_folder("mosi") == tmp_path / "data" / "mosi"
    monkeypatch.setenv("REPLICATE_DATA", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert data_folder("mosi").parts[-2:] == ("bridging-modalities", "mosi")


@pytest.mark.parametrize("name", ["mosi", "iemocap4", "iemocap6"])
def test_missing_data_names_the_folder_and_the_command(name: str, tmp_path: Path) -> None:
    assert not is_here(name)
    with pytest.raises(UnknownCorpus) as caught:
        load(name)
    assert str(tmp_path / "data" / name) in str(caught.value)
    assert f"replicate data fetch {name}" in str(caught.value)
    assert ("University of Southern California" in str(caught.value)) == name.startswith("iemocap")


def test_named_iemocap_prefers_the_raw_features(nine: list[Any], pickled: Callable[..., Path], tmp_path: Path) -> None:
    pickled(tuple(nine), "IEMOCAP_features_4.pkl")
    pickled("unreadable", "data_iemocap_4.pkl")
    assert load("iemocap4", tmp_path).name == "iemocap4"
    assert load(tmp_path).name == "iemocap4"
    (tmp_path / "IEMOCAP_features_4.pkl").unlink()
    with pytest.raises(NotThisFormat, match="data_iemocap_4"):
        load("iemocap4", tmp_path)
    with pytest.raises(UnknownCorpus, match="iemocap6 is not in"):
        load("iemocap6", tmp_path)


def test_mosi_by_name_and_by_folder(shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPLICATE_DATA", str(shared_data))
    assert is_here("mosi")
    assert load("mosi").hash == load(shared_data / "mosi").hash
    shutil.copytree(shared_data / "mosi", tmp_path / "part")
    (tmp_path / "part" / "text_test.csv").chmod(0o600)
    (tmp_path / "part" / "text_test.csv").unlink()
    assert not is_here("mosi", tmp_path / "part")


def test_iemocap_format_by_folder_and_file(shared_data: Path) -> None:
    folder = shared_data / "iemocap4_format"
    raw = folder / "IEMOCAP_features_4.pkl"
    assert load(folder).hash == load(raw).hash == load("iemocap4", folder).hash


def test_archives_by_file_and_by_folder(tmp_path: Path) -> None:
    made = corpus(dialogue())
    archive.write(made, tmp_path / "a.npz")
    assert load(tmp_path / "a.npz").hash == load(str(tmp_path)).hash == made.hash
    archive.write(made, tmp_path / "b.npz")
    with pytest.raises(UnknownCorpus, match=r"holds several \.npz"):
        load(tmp_path)


def test_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(UnknownCorpus, match="no reader accepts"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("iemocap", "did you mean iemocap"),
        ("sinthetic", "did you mean synthetic?"),
        ("absent.npz", "no corpus and no file 'absent.npz'"),
        ("zzz", "there are synthetic, synthetic-null, synthetic-null-small, synthetic-null-tiny, synthetic-small, "),
    ],
)
def test_unknown_names_list_the_known_ones(name: str, words: str) -> None:
    with pytest.raises(UnknownCorpus) as caught:
        load(name)
    assert words in str(caught.value)


def test_a_file_of_another_kind(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("1,2")
    for recording in ("a.wav", "b/u1.flac", "c/Session1/dialog/EmoEvaluation/x.txt"):
        (tmp_path / recording).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / recording).touch()
        with pytest.raises(UnknownCorpus, match="holds recordings: make a corpus of them with `replicate features`"):
            load(tmp_path / recording.partition("/")[0])
    with pytest.raises(UnknownCorpus, match=r"no reader accepts .*x\.csv: .*\.pkl of the COGMEN release.*\.npz"):
        load(tmp_path / "x.csv")


def test_importing_is_cheap() -> None:
    code = (
        "import sys, replicate.corpus, replicate.cli.data as d;"
        "print([m for m in ('torch', 'pooch', 'scipy', 'requests', 'rich.table') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stderr


def test_the_release_is_recognised_with_additional_streams(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, publish: Callable[[Path], None]
) -> None:
    monkeypatch.setenv("REPLICATE_DATA", str(tmp_path))
    (tmp_path / "iemocap4").mkdir()
    with (tmp_path / "iemocap4" / "IEMOCAP_features_4.pkl").open("wb") as file:
        pickle.dump(release((3, 4, 60, 3), 35), file, 2)
    publish(tmp_path / "iemocap4" / "IEMOCAP_features_4.pkl")
    whole = load("iemocap4")
    every = whole.dialogues
    assert whole.published

    def kept(**changes: Any) -> Corpus:
        """The release with changes, after writing and loading."""
        own = tuple(replace(d, features={**d.features, "hubert": np.ones((len(d), 3), "f4")}) for d in every)
        archive.write(replace(whole, **{"dialogues": own, **changes}), tmp_path / "own.npz")
        return load(tmp_path / "own.npz")

    assert kept().published and kept().widths["hubert"] == 3
    for change in (
        {"dialogues": every[1:]},
        {"dialogues": (replace(every[0], labels=every[0].labels + 1), *every[1:])},
        {"dialogues": tuple(replace(d, features={"audio": d.features["audio"]}) for d in every)},
        {
            "dialogues": tuple(
                replace(d, features=d.features | {"audio": d.features["text"] + 1}) for d in whole.dialogues
            )
        },
        {"standardise": True},
        {"name": "other"},
    ):
        assert not kept(**change).published
    (tmp_path / "iemocap4" / "IEMOCAP_features_4.pkl").write_bytes(b"damaged")
    assert not kept().published
    (tmp_path / "iemocap4" / "IEMOCAP_features_4.pkl").unlink()
    assert not kept().published


@pytest.mark.parametrize("suffix", [".npz", ".pkl"])
def test_too_little_memory_for_a_corpus_is_named(suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / f"large{suffix}"
    path.write_bytes(b"")

    def fails(*_: object) -> None:
        raise MemoryError

    for reader in (archive, cogmen):
        monkeypatch.setattr(reader, "read", fails)
    with pytest.raises(TooLittleMemory, match=f"too little memory to read {path}"):
        load(path)
