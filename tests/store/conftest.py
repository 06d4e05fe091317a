"""The fixtures of completed runs on a corpus of a few utterances."""

from tests.small_runs import corpus, edit, result, saved, store, tables_folder

__all__ = ["corpus", "edit", "result", "store", "saved", "tables_folder"]
