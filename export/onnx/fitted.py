"""What an export fits to the corpus and adds to a run's weights: temperature, and range of the features.

Not in the paper. Temperature scaling: Guo et al., On Calibration of Modern Neural Networks, ICML 2017.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from export.metadata import FITTED, check_fitted
from export.onnx.deployed_model import SpeechModel
from export.onnx.session import on_corpus, torch_outputs
from export.onnx.training_range import fit_range
from replicate.corpus.types import Corpus, Split
from replicate.rng import deterministic
from replicate.store.run import Run

# Of the temperature: outside, dev says that the model is perfect or knows nothing.
BOUNDS = (0.25, 10.0)
# Utterances of dev below which a temperature would be fitted to chance.
LEAST = 30


@dataclass(frozen=True)
class Fitted:
    """Entries of a file's metadata that are fitted when it is exported, see ``export.metadata``.

    Attributes:
        temperature: divides the logits, so that probabilities are as high as predictions are often right; labels stay.
        range: of the features of the training, see ``export.distance``.
    """

    temperature: float = 1.0
    range: dict[str, Any] | None = None

    def entries(self) -> dict[str, Any]:
        """Return the entries of the metadata."""
        return asdict(self)


UNFITTED = Fitted()


def fit(run: Run, corpus: Corpus) -> Fitted:
    """Fit everything to the corpus that the run was trained on."""
    labels = np.concatenate([dialogue.labels for dialogue in corpus.split("dev")] or [np.zeros(0, np.int64)])
    few = len(labels) < LEAST
    temperature = 1.0 if few else fit_temperature(uncalibrated(run, corpus, "dev"), labels)
    return Fitted(temperature, fit_range(corpus, run.audio_stream))


def uncalibrated(run: Run, corpus: Corpus, split: Split) -> NDArray[np.float32]:
    """Return log-probabilities (utterances of the split, classes) of the run's model as it is deployed, at T = 1."""
    with deterministic():
        speech = SpeechModel(run.model(), run.scaling())
        found = on_corpus(lambda inputs: torch_outputs(speech, inputs), corpus, run.audio_stream, split)
    return np.log(np.maximum(found, np.finfo(np.float32).tiny))


def fit_temperature(log_prob: ArrayLike, labels: ArrayLike) -> float:
    """Return the temperature within ``BOUNDS`` that minimises the negative log-likelihood of the labels, to 4 places.

    Shapes:
        log_prob: (N, classes), logarithms of probabilities or logits; labels: (N,) int.
    """
    scores, true = np.asarray(log_prob, np.float64), np.asarray(labels, np.int64)

    def loss(log_temperature: float) -> float:
        return -float(log_softmax(scores / np.exp(log_temperature), axis=1)[np.arange(len(true)), true].mean())

    found = minimize_scalar(loss, bounds=np.log(BOUNDS), method="bounded", options={"xatol": 1e-6})
    return round(float(np.exp(found.x)), 4)


def of_file(path: Path) -> Fitted:
    """Read what an exported file says that was fitted; files of earlier versions have none of it.

    Raises:
        ValueError: an entry is not what its name promises.
    """
    entries = {entry.key: entry.value for entry in onnx.load(path, load_external_data=False).metadata_props}
    return Fitted(**check_fitted({name: entries[name] for name in FITTED if name in entries}))
