"""The fixtures of finished runs on a corpus of a few utterances."""

from tests.small_runs import corpus, edit, result, store, stored, tables_folder

__all__ = ["corpus", "edit", "result", "store", "stored", "tables_folder"]
