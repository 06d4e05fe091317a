"""openSMILE functionals: one vector of statistics per utterance."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
import opensmile
from numpy.typing import NDArray
from opensmile.core.lib import OpenSmileException

from replicate.errors import TooLittleMemory
from replicate.features.audio import RATE
from replicate.limits import MIB, require_address_space

SETS = ("eGeMAPSv02", "ComParE_2016", "GeMAPSv01b", "IS09", "IS10", "IS11", "IS12", "IS13", "emobase")
# Where it has less, openSMILE crashes.
_LEAST_SPACE = 700 * MIB


class Smile:
    """Extractor of functionals of one of openSMILE's feature sets, over a whole utterance.

    Attributes:
        shortest: samples that an utterance needs at least: a window of 60 ms, and a step for features of change.
        recipe: everything that decides the numbers, JSON values only.
    """

    stream = "audio"
    shortest = 70 * RATE // 1000
    batch_seconds = 60.0

    def __init__(self, feature_set: str = "eGeMAPSv02") -> None:
        require_address_space(_LEAST_SPACE, "openSMILE")
        self._smile = opensmile.Smile(opensmile.FeatureSet[feature_set], opensmile.FeatureLevel.Functionals)
        self._lock = threading.Lock()  # a computation that was interrupted goes on
        self.recipe: dict[str, Any] = {
            "extractor": "opensmile",
            "set": feature_set,
            "level": "functionals",
            "rate": RATE,
            "columns": list(self._smile.feature_names),
            "versions": {name: version(name) for name in ("opensmile", "soxr")},
        }

    def __call__(self, signals: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Compute the vectors of 16 kHz signals.

        Shapes:
            returns: (signals, columns) float32.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # NaN is refused later, with the name of the utterance
            return np.concatenate([self._vector(signal) for signal in signals])

    def _vector(self, signal: NDArray[np.float32]) -> NDArray[np.float32]:
        """Compute a vector in another thread, so that this one answers signals.

        openSMILE computes for seconds and passes results to Python callbacks, in which an exception would be lost.
        """
        found: list[NDArray[np.float32] | BaseException] = []

        def compute() -> None:
            try:
                with self._lock:
                    found.append(self._smile.process_signal(signal, RATE).to_numpy(np.float32))
            except BaseException as error:
                found.append(error)

        thread = threading.Thread(target=compute, daemon=True)
        thread.start()
        thread.join()
        (vector,) = found
        if isinstance(vector, OpenSmileException):
            raise TooLittleMemory(
                f"openSMILE failed ({' '.join(str(vector).split())[:200]}), as where memory runs out: free some, or "
                "raise the limit (ulimit -v)"
            ) from vector
        if isinstance(vector, BaseException):
            raise vector
        return vector
