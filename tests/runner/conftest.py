"""The fixtures of completed runs on a corpus of a few utterances."""

import pytest

from replicate.store.store import Store
from tests.runner.families import FAMILY, run
from tests.small_runs import corpus, edit, result, saved, store, tables_folder

__all__ = ["corpus", "edit", "result", "store", "saved", "tables_folder", "undisturbed"]


@pytest.fixture(scope="session")
def undisturbed(corpus, tmp_path_factory):
    """A store with all of ``FAMILY``, trained one after the other; do not write into it."""
    found = Store(tmp_path_factory.mktemp("undisturbed") / "runs")
    run(found, corpus, FAMILY)
    return found
