"""All readers are fuzzed for less than a minute; `make fuzz MINUTES=10` takes longer."""

from __future__ import annotations

import sys

import pytest

from tests.fuzz import audio, bundles, corpora, definitions, demo, encoders, lists, prediction, readers, results_folders
from tests.fuzz.harness import HEADER, READERS, fuzz, row

assert audio and bundles and corpora and definitions and demo and encoders
assert lists and prediction and readers and results_folders  # registers them
# Of all readers; each has an equal share.
SECONDS = 45


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="children are limited and measured on Linux only")
@pytest.mark.parametrize("name", READERS)
def test_no_mutated_file_crashes_a_reader(name: str) -> None:
    found = fuzz(READERS[name](), SECONDS / len(READERS), seed=1)
    print(HEADER, row(found), sep="\n")
    assert found.failures == []
    assert found.cases > 0
