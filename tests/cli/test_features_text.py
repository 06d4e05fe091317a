from __future__ import annotations

import csv
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tests.features  # noqa: F401  (first, since it skips where the extra is not installed)
from replicate.corpus import archive, load
from replicate.features.sentences import SentenceEncoder
from replicate.features.tfidf import Tfidf
from tests.corpus.conftest import corpus, dialogue

TEXTS = ("no that is not it", "that is good", "good morning", "is it not good")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


Replicate = Callable[..., Any]


def write(*texts: str, path: str = "calls.csv") -> None:
    lines = [f"d{i // 2},u{i},{'MF'[i % 2]},calm,{'train' if i < 4 else 'test'},{text}" for i, text in enumerate(texts)]
    Path(path).write_text("\n".join(["dialogue,utterance,speaker,label,split,text", *lines]))


def test_text_of_a_table_whole_output(replicate: Replicate) -> None:
    write(*TEXTS, "that is it", "unknown")
    status, stdout, stderr = replicate("features", "text", "calls.csv", "--columns", 3, "--out", "text.npz")
    found = load("text.npz")
    assert status == 0
    assert stdout == f"text.npz: 3 dialogues, 6 utterances, hash {found.hash}\n"
    assert stderr == "Next: replicate data merge CORPUS text.npz --stream text --out merged.npz\n"
    assert (found.name, found.widths, found.speakers) == ("calls", {"text": 3}, ("M", "F"))
    vectors = np.concatenate([one.features["text"] for one in found.dialogues])
    # Only the training texts are fitted on.
    np.testing.assert_array_equal(vectors, Tfidf(TEXTS, 3)([*TEXTS, "that is it", "unknown"]))
    assert found.recipes["text"] == Tfidf(TEXTS, 3).recipe
    shown = replicate("data", "info", "text.npz").stdout
    assert "text was extracted with: components 3, extractor tfidf, fitted_on 4 training texts, " in shown


def test_tfidf_needs_no_optional_package() -> None:
    write(*TEXTS)
    code = (
        "import sys; sys.modules.update(dict.fromkeys(('soundfile', 'soxr', 'opensmile', 'transformers')));"
        "from bridging_modalities_cli import main; main()"
    )
    command = ["features", "text", "calls.csv", "--columns", "2", "--out", "text.npz"]
    done = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert load("text.npz").widths == {"text": 2}


def test_text_is_merged_into_a_corpus_that_gave_the_utterances(replicate: Replicate) -> None:
    names = [("a0", "a1"), ("b0", "b1"), ("c0", "c1")]
    base = corpus(
        *(dialogue(f"d{i}", features={"audio": np.ones((2, 3), "f4")}, utterances=own) for i, own in enumerate(names))
    )
    archive.write(base, Path("base.npz"))
    Path("t.csv").write_text("utterance,words\n" + "\n".join(f"{n},good morning" for own in names for n in own))
    options = ("--like", "base.npz", "--column", "words", "--columns", 1, "--out", "text.npz")
    status, _, stderr = replicate("features", "text", "t.csv", *options)
    assert status == 0 and stderr.startswith("Next: replicate data merge base.npz text.npz --stream text")
    assert replicate("data", "merge", "base.npz", "text.npz", "--stream", "text", "--out", "both.npz").status == 0
    both = load("both.npz")
    assert both.widths == {"audio": 3, "text": 1} and both.recipes["text"]["extractor"] == "tfidf"
    refused = ("data", "merge", "base.npz", "text.npz", "--stream", "text", "--as", "hubert", "--out", "x.npz")
    assert (
        "extracted with TF-IDF and SVD to 1 columns, fitted on 6 training texts, not what" in replicate(*refused).stderr
    )


def test_missing_text_is_refused_dropped_or_empty(replicate: Replicate) -> None:
    write(*TEXTS, "", "that is it")
    command = ("features", "text", "calls.csv", "--columns", 2)
    status, stdout, stderr = replicate(*command, "--out", "x.npz")
    assert (status, stdout) == (1, "") and len(stderr.splitlines()) == 1
    assert stderr.startswith("error (missing text): 1 of 6 utterances have no text (d2/u4): fill it in")
    status, _, stderr = replicate(*command, "--drop", "--out", "dropped.npz")
    assert stderr.splitlines()[0] == "dropped, no text: d2/u4"
    assert load("dropped.npz").dialogues[2].utterances == ("u5",)
    assert "1 utterances without text dropped" in load("dropped.npz").notes
    status, _, stderr = replicate(*command, "--allow-empty", "--out", "empty.npz")
    assert stderr.splitlines()[0] == "taken as empty, no text: d2/u4"
    assert load("empty.npz").dialogues[2].features["text"][0].tolist() == [0, 0]


def test_an_encoder_in_place_of_tfidf(encoder: Path, replicate: Replicate) -> None:
    write(*TEXTS)
    command = ("features", "text", "calls.csv", "--encoder", encoder, "--device", "cpu", "--out", "text.npz")
    status, _, stderr = replicate(*command)
    assert status == 0
    assert stderr.splitlines()[0] == "1 text longer than the encoder's input: cut at its end"
    vectors = np.concatenate([one.features["text"] for one in load("text.npz").dialogues])
    np.testing.assert_array_equal(vectors, SentenceEncoder(str(encoder), device="cpu")(TEXTS))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--drop", "--allow-empty"), "exclude each other"),
        (("--revision", "abc"), "are for --encoder"),
        (("--download",), "are for --encoder"),
        (("--encoder", "x", "--columns", "5"), "--columns is for TF-IDF"),
    ],
)
def test_options_that_exclude_each_other(options: tuple[str, ...], words: str, replicate: Replicate) -> None:
    write(*TEXTS)
    status, _, stderr = replicate("features", "text", "calls.csv", "--out", "x.npz", *options)
    assert status == 2 and words in stderr


def test_text_of_the_mosi_corpus(shared_data: Path, replicate: Replicate) -> None:
    with (shared_data / "mosi" / "transcripts.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    with Path("transcripts.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("utterance", "text", "score", "label"), *rows])
    mosi = shared_data / "mosi"
    assert replicate("features", "text", "transcripts.csv", "--like", mosi, "--out", "text.npz").status == 0
    merged = ("--stream", "text", "--as", "tfidf", "--out", "both.npz")
    assert replicate("data", "merge", mosi, "text.npz", *merged).status == 0
    found = load("both.npz")
    assert found.widths == {"audio": 73, "visual": 100, "text": 100, "tfidf": 100}
    by_name = {row[0]: row[1] for row in rows}
    training = [by_name[name] for one in found.split("train") for name in one.utterances]
    (one, *_) = found.split("test")
    expected = Tfidf(training)([by_name[name] for name in one.utterances])
    np.testing.assert_array_equal(one.features["tfidf"], expected)
