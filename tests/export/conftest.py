from dataclasses import replace

import numpy as np
import pytest

from export.bundle import bundle
from export.bundle.bundle import Bundle
from export.bundle.select import Choice
from replicate.corpus.synthetic import generate
from replicate.corpus.types import Corpus
from replicate.features.acoustic import AcousticExtractor, columns
from replicate.store.run import Run
from replicate.store.store import Store

# Columns of the corpus of ``wav_bundle``: some, in an order of their own.
ACOUSTIC = [columns()[i] for i in (160, 3, 77, 12, 130)]


@pytest.fixture(scope="session")
def runs(smoke_out) -> dict[str, Run]:
    """One complete run of each arm, by name."""
    store = Store(smoke_out / "runs")
    found = map(store.get, store.keys())
    return {run.record.arm.name: run for run in found}


@pytest.fixture(scope="session")
def acoustic_corpus() -> Corpus:
    """Random numbers in the place of acoustic functionals of recordings."""
    plain = generate("synthetic-tiny")
    draws = np.random.default_rng(0)

    def features(count: int) -> dict[str, np.ndarray]:
        return {"audio": draws.standard_normal((count, len(ACOUSTIC)), dtype=np.float32)}

    recipe = AcousticExtractor().recipe | {"columns": ACOUSTIC}
    dialogues = tuple(replace(one, features=features(len(one))) for one in plain.dialogues)
    return replace(plain, name="voices", dialogues=dialogues, recipes={"audio": recipe})


@pytest.fixture(scope="session")
def acoustic_run(acoustic_corpus, tmp_path_factory) -> Run:
    """A causal run on them."""
    import replicate

    out = tmp_path_factory.mktemp("acoustic")
    return replicate.train("COGMEN-A-causal", acoustic_corpus, profile="smoke", results=out, progress=False)


@pytest.fixture(scope="session")
def wav_bundle(acoustic_corpus, acoustic_run, tmp_path_factory) -> Bundle:
    """A bundle with files that take waveforms; do not write into it."""
    choice = Choice(acoustic_run, acoustic_run.folder.parent, {"COGMEN-A-causal": [acoustic_run]}, requested=True)
    return bundle.write(choice, acoustic_corpus, tmp_path_factory.mktemp("wav") / "bundle", portable=True)
