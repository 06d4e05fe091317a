from __future__ import annotations

import os
import signal
import threading
from typing import Any

import numpy as np
import opensmile
import pytest
from numpy.typing import NDArray
from opensmile.core.lib import OpenSmileException

from replicate.errors import TooLittleMemory
from replicate.features.smile import SETS, Smile
from tests.recordings import tone


def test_every_set_is_one_of_opensmile() -> None:
    assert set(SETS) <= set(opensmile.FeatureSet.__members__)


@pytest.mark.parametrize(("feature_set", "width"), [("eGeMAPSv02", 88), ("ComParE_2016", 6373)])
def test_vectors_are_those_of_opensmile(feature_set: str, width: int) -> None:
    signals = [tone(0.3), tone(0.2, hertz=400)]
    extractor = Smile(feature_set)
    found = extractor(signals)
    assert (found.shape, found.dtype) == ((2, width), np.float32)
    assert len(extractor.recipe["columns"]) == width
    smile = opensmile.Smile(feature_set, "func")
    for samples, vector in zip(signals, found, strict=True):
        frame = smile.process_signal(samples, 16_000)
        np.testing.assert_array_equal(vector, frame.to_numpy()[0])
        assert list(frame.columns) == extractor.recipe["columns"]


def test_an_interrupt_does_not_wait_until_an_utterance_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """In openSMILE's callbacks the exception would be lost."""
    extractor, goes_on = Smile(), threading.Event()

    def interrupted(samples: NDArray[np.float32], rate: int) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        goes_on.wait(60)

    monkeypatch.setattr(extractor._smile, "process_signal", interrupted)
    with pytest.raises(KeyboardInterrupt):
        extractor([tone(0.2), tone(0.3)])
    assert not goes_on.is_set()
    goes_on.set()


def test_a_failure_of_opensmile_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(samples: NDArray[np.float32], rate: int) -> Any:
        raise OpenSmileException(1, "Unknown exception")

    extractor = Smile()
    monkeypatch.setattr(extractor._smile, "process_signal", fail)
    with pytest.raises(TooLittleMemory, match=r"openSMILE failed .*Unknown exception"):
        extractor([tone(0.2)])


@pytest.mark.parametrize("feature_set", SETS)
def test_the_shortest_utterance_has_features(feature_set: str) -> None:
    extractor = Smile(feature_set)
    assert np.isfinite(extractor([tone(1)[: extractor.shortest]])).all()
