"""The page on a corpus of one's own runs as it is written."""

from replicate.corpus import load

from .conftest import QUICKLY


def test_own_corpus(perform):
    printed = perform("own-corpus.md", python=True, PROFILE=QUICKLY)
    corpus = load("mine.npz")
    assert corpus.widths == {"audio": 40, "visual": 20} and len(corpus.dialogues) == 10
    tables = next(text for command, text in printed.items() if command.startswith("run table2"))
    assert "table2 on mine: " in tables
