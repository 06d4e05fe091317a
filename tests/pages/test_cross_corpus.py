"""The measurement between two corpora: its columns, computed by hand, and its table."""

import sys
from types import SimpleNamespace

import numpy as np
import pandas
import pytest

from docs import cross_corpus
from docs.cross_corpus import COLUMNS, HOP, LABELS, METRICS, Line, functionals, scored, speech, table
from replicate.corpus.types import Corpus, Dialogue


def test_the_table_has_a_line_for_each_model_corpus_and_metric():
    lines = [line for line in cross_corpus.TABLE.read_text(encoding="utf-8").splitlines() if line.startswith("|")][2:]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert len(lines) == 2 * 2 * len(METRICS) and {cell[2] for cell in cells} == set(METRICS.values())
    assert all(0 < float(value.split()[0]) < 1 for cell in cells for value in cell[3:])


def test_the_command_writes_where_it_is_told(tmp_path, monkeypatch):
    dialogue = Dialogue("a", np.zeros(2, int), np.array([0, 1]), {"audio": np.zeros((2, 1), "f4")}, "test")
    corpus = Corpus("c", LABELS, (dialogue,), ("M", "F"))
    line = Line("m", "x", "ua", {None: [0.5], "recording": [0.2], "speaker": [0.1]})
    for name in ("ravdess", "iemocap"):
        monkeypatch.setattr(cross_corpus, name, lambda path: corpus)
    monkeypatch.setattr(cross_corpus, "logistic", lambda train, sets: [line])
    monkeypatch.setattr(cross_corpus, "exported", lambda train, sets, results: ([line], dict.fromkeys(sets, 0.5)))
    monkeypatch.setattr(sys, "argv", ["cross_corpus", str(tmp_path), "--out", str(tmp_path / "a" / "b.md")])
    before = cross_corpus.TABLE.read_bytes()
    cross_corpus.main()
    assert (tmp_path / "a" / "b.md").read_text(encoding="utf-8").count("| m | x | UA | 0.500 |") == 2
    assert cross_corpus.TABLE.read_bytes() == before


def test_means_deviations_and_the_share_of_silence():
    descriptors = np.arange(46.0).reshape(2, 23)
    smile = SimpleNamespace(process_signal=lambda signal, rate: pandas.DataFrame(descriptors))
    quiet, loud = np.zeros(16_000, np.float32), np.sin(np.arange(16_000, dtype=np.float32))
    found = functionals(np.concatenate([quiet, loud]), smile)
    assert found.shape == (COLUMNS,)
    assert np.allclose(found[:23], descriptors.mean(0)) and np.allclose(found[23:46], 23 / np.sqrt(2))
    assert found[46] == pytest.approx(0.5, abs=0.05)


def test_silence_at_both_ends_is_cut():
    signal = np.concatenate([np.zeros(5000), np.ones(100), np.zeros(3000), -np.ones(50), np.zeros(4000)])
    assert len(speech(signal.astype(np.float32))) == 3150 + 2 * HOP - 1


def test_scores_and_the_sentence_on_distance():
    dialogue = Dialogue("a", np.zeros(4, int), np.array([0, 0, 1, 2]), {"audio": np.zeros((4, 1), "f4")}, "test")
    right = np.eye(4)[[0, 0, 1, 2]]
    assert scored([dialogue], [right], "weighted_f1") == 1.0
    assert scored([dialogue], [np.eye(4)[[0, 0, 0, 0]]], "ua") == pytest.approx(1 / 3) and LABELS[0] == "neutral"
    lines = [Line("m", "x", "ua", {None: [0.5], "recording": [0.2, 0.4], "speaker": [0.1]})]
    found = table(lines, {"x": 0.25}, {"x": (4, 1000)}).splitlines()
    assert found[2] == "| m | x | UA | 0.500 | 0.300 ± 0.141 | 0.100 |"
    assert found[-1].endswith("x (4 dialogues, 1,000 utterances): 25%.")
