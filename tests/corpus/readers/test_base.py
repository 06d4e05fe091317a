"""Readers from outside the package: the toy reader next to this file, as a user would write it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from replicate.config import folders
from replicate.corpus import archive, load, named_corpora
from replicate.corpus.readers import base
from replicate.corpus.readers.base import READERS, NamedCorpus, Reader, register
from replicate.corpus.types import Corpus, Dialogue
from replicate.errors import BadPlugin, NonFinite, UnknownCorpus

TOY = Path(__file__).with_name("toy_reader.py")


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    """The toy reader in a folder for ``--config-dir``, imported."""
    path = tmp_path / "own" / "toy_reader.py"
    path.parent.mkdir()
    shutil.copy(TOY, path)
    folders.use([path.parent])
    return path


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    """A toy corpus with a dialogue in each split."""
    utterances = [
        {"speaker": 0, "label": 1, "audio": [0.5, 1], "visual": [2]},
        {"speaker": 1, "label": 0, "audio": [1.5, 3], "visual": [4]},
    ]
    dialogues = [{"id": name, "split": name, "utterances": utterances} for name in ("train", "dev", "test")]
    path = tmp_path / "corpus.json"
    path.write_text(json.dumps({"labels": ["no", "yes"], "speakers": ["A", "B"], "dialogues": dialogues}))
    return path


def test_a_reader_in_one_file_makes_its_format_loadable(toy: Path, plugin: Path) -> None:
    corpus = load(toy)
    assert corpus.widths == {"audio": 2, "visual": 1}
    assert corpus.dialogues[2].features["audio"].tolist() == [[0.5, 1], [1.5, 3]]
    assert [dialogue.split for dialogue in corpus.dialogues] == ["train", "dev", "test"]
    folders.use([])
    with pytest.raises(UnknownCorpus, match="no reader accepts"):
        load(toy)


def test_its_corpus_has_a_hash_like_any_other(toy: Path, plugin: Path, tmp_path: Path) -> None:
    corpus = load(toy)
    archive.write(corpus, tmp_path / "copy.npz")
    assert load(tmp_path / "copy.npz").hash == corpus.hash
    toy.write_text(toy.read_text().replace("1.5", "1.75"))
    assert load(toy).hash != corpus.hash


def test_what_a_reader_returns_is_checked(toy: Path, plugin: Path) -> None:
    toy.write_text(toy.read_text().replace("1.5", "NaN"))
    with pytest.raises(NonFinite, match="dialogue train, stream audio, utterance 2, column 1"):
        load(toy)


def test_a_reader_that_fails_is_named_with_its_line(toy: Path, plugin: Path) -> None:
    toy.write_text("{}")
    line = 1 + next(i for i, text in enumerate(plugin.read_text().splitlines()) if 'content["dialogues"]' in text)
    with pytest.raises(BadPlugin) as caught:
        load(toy)
    assert str(caught.value).startswith(f"{plugin}, line {line}: the corpus reader 'toy' fails on {toy} (KeyError")


def test_a_reader_that_returns_something_else_is_named(tmp_path: Path) -> None:

    @register("wrong")
    class Wrong(Reader):
        def accepts(self, path: Path) -> bool:
            return path.suffix == ".wrong"

        def read(self, path: Path) -> Any:
            return [1, 2]

    (tmp_path / "x.wrong").touch()
    with pytest.raises(BadPlugin, match=r"corpus reader 'wrong' .* it returns list, not Corpus"):
        load(tmp_path / "x.wrong")


def test_a_reader_without_a_method_read_is_named(tmp_path: Path) -> None:

    @register("half")
    class Half(Reader):
        def accepts(self, path: Path) -> bool:
            return path.suffix == ".half"

    (tmp_path / "x.half").touch()
    with pytest.raises(BadPlugin, match="Half has no method read"):
        load(tmp_path / "x.half")


def one(name: str) -> Corpus:
    """A corpus of one dialogue."""
    zero = np.zeros(1, np.int64)
    return Corpus(name, ("a", "b"), (Dialogue("d", zero, zero, {"audio": np.ones((1, 1), np.float32)}, "test"),))


def accepting(name: str, suffix: str) -> type[Reader]:
    """A reader of files with a suffix, whose corpora are called ``name``."""

    class Accepting(Reader):
        def accepts(self, path: Path) -> bool:
            return path.suffix == suffix

        def read(self, path: Path) -> Corpus:
            return one(name)

    return Accepting


def test_a_reader_from_outside_comes_before_a_built_in_one(tmp_path: Path) -> None:
    archive.write(one("file"), tmp_path / "x.npz")
    assert load(tmp_path / "x.npz").name == "file"
    register("own")(accepting("own", ".npz"))
    assert load(tmp_path / "x.npz").name == "own"


def test_two_readers_for_one_path_are_named(tmp_path: Path) -> None:
    for name in ("first", "second"):
        register(name)(accepting(name, ".x"))
    (tmp_path / "a.x").touch()
    with pytest.raises(UnknownCorpus, match="accepted by the readers first and second"):
        load(tmp_path / "a.x")


def test_a_reader_can_name_corpora(tmp_path: Path) -> None:

    @register("named")
    class Named(Reader):
        corpora: ClassVar = {"own": NamedCorpus("generated by a plugin", "Free.", "here")}

        def load(self, name: str, folder: Path) -> Corpus:
            return one(name)

    assert load("own").name == "own"
    assert list(named_corpora())[:2] == ["own", "synthetic"]
    register("other")(type("Other", (Reader,), {"corpora": {"mosi": named_corpora()["own"]}}))
    with pytest.raises(BadPlugin, match="the corpus readers mosi and other both have a corpus mosi"):
        load("own")


def test_readers_of_installed_packages_are_found(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(TOY.parent)
    monkeypatch.delitem(sys.modules, "toy_reader", raising=False)
    point = EntryPoint("toy", "toy_reader:ToyReader", "replicate.corpus")
    monkeypatch.setattr(READERS, "_entry_points", lambda: [point])
    assert load(toy).name == "toy"
    monkeypatch.delitem(sys.modules, "toy_reader", raising=False)


def test_an_installed_reader_that_cannot_be_imported_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("absent", "no_such_package:Reader", "replicate.corpus")
    monkeypatch.setattr(READERS, "_entry_points", lambda: [point])
    with pytest.raises(BadPlugin, match=r"plugin no_such_package:Reader .*cannot be imported"):
        load("synthetic-tiny")


def test_the_built_in_readers_are_registered_in_a_fresh_process() -> None:
    code = "from replicate.corpus.readers.base import READERS; print(READERS.names())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = {path.stem for path in Path(base.__file__).parent.glob("*.py")} - {"__init__", "base"}
    assert done.stdout.strip() == str(sorted(modules))


def test_the_example_of_the_documentation_is_complete_python() -> None:
    text = base.__doc__ or ""
    compile(text.partition("::\n")[2].partition("``--data")[0].replace("\n    ", "\n"), "example", "exec")
