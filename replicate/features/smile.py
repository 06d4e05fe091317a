"""openSMILE functionals: one vector of statistics per utterance."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from typing import Any

import numpy as np
import opensmile
from numpy.typing import NDArray
from opensmile.core.lib import OpenSmileException

from replicate.corpus.types import Corpus
from replicate.errors import BadSource, TooLittleMemory
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


def selected(corpus: Corpus, count: int) -> Corpus:
    """Return the corpus with the ``count`` columns of stream audio that ``most_informative`` chooses in training.

    Raises:
        BadSource: see ``most_informative``.
    """
    training = corpus.split("train")
    if not training:
        raise BadSource("--select needs a training split, and it is empty: add a column split to the CSV")
    names = corpus.recipes["audio"]["columns"]
    features = np.concatenate([dialogue.features["audio"] for dialogue in training])
    columns = most_informative(features, np.concatenate([d.labels for d in training]), count, names)
    recipe = corpus.recipes["audio"] | {
        "columns": [names[i] for i in columns],
        "select": f"the {count} of {len(names)} columns with the highest ANOVA F of the classes in training",
    }
    dialogues = tuple(replace(d, features={"audio": d.features["audio"][:, columns]}) for d in corpus.dialogues)
    return replace(corpus, dialogues=dialogues, recipes={"audio": recipe})


def most_informative(
    features: NDArray[np.float32], labels: NDArray[np.int64], count: int, columns: Sequence[str]
) -> list[int]:
    """Return the ``count`` columns with the highest ANOVA F of the classes, in increasing order; ties go to the first.

    The arguments are of training utterances only. Constant columns are never chosen.

    Shapes:
        features: (n, d). labels: (n,).

    Raises:
        BadSource: there are fewer than ``count`` columns that are not constant, or fewer than 2 classes.
    """
    from sklearn.feature_selection import f_classif

    if len(np.unique(labels)) < 2:
        raise BadSource("--select needs training utterances of at least two classes: add columns label and split")
    varied = np.flatnonzero(np.ptp(features, axis=0) > 0)
    if count > len(varied):
        raise BadSource(
            f"--select {count}: only {len(varied)} of {len(columns)} columns vary in training: select fewer"
        )
    # F is infinite for a column without variance within classes. In float64, for sums of squares of large numbers.
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # scikit-learn calls such columns constant
        scores = np.nan_to_num(f_classif(features[:, varied].astype(np.float64), labels)[0], nan=0.0)
    return sorted(varied[np.argsort(-scores, kind="stable")[:count]].tolist())
