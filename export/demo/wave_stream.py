"""A causal model with its extractor in one file: sound of an utterance in, probabilities out, one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.bundle_files import WAV_STREAM
from export.distance import training_range, warning
from export.limited_session import CPU
from export.model_file import Model
from export.predictor import BadBundle, BadInput, Predictor, verify
from replicate.corpus.provenance import describe

# In samples: what the time limit of a batch counts as one utterance.
_UNIT = 1600


class WaveModel(Model):
    """The model of a bundle that takes sound.

    Attributes:
        labels: name of each class. speakers: the speaker names that the model knows.

    Raises:
        BadBundle: the folder is not a bundle, was changed, or has no such model.
    """

    def __init__(self, bundle: Path) -> None:
        if WAV_STREAM not in verify(bundle):
            raise BadBundle(_why_absent(bundle))
        super().__init__(bundle / WAV_STREAM, 1, (CPU,), stream=True, wave=True)
        self.labels: list[str] = self.metadata["labels"]
        self.speakers: list[str] = self.metadata["speakers"]
        self._range = training_range(self.metadata)

    def far_away(self, found: Mapping[str, Sequence[NDArray[np.float32]]]) -> str | None:
        """Return one line on the dialogues that are unlike those of the training, or None if there is none.

        Args:
            found: the features of each utterance, by the dialogue's name.
        """
        if self._range is None:
            return None
        measured = [(name, self._range.distance(np.stack(features))) for name, features in found.items() if features]
        return warning(measured, self.metadata)


@dataclass(frozen=True)
class Answer:
    """The model's output for one utterance of a dialogue.

    Shapes:
        probabilities: (classes,); features: (columns,).
    """

    probabilities: NDArray[np.float32]
    features: NDArray[np.float32]


class WaveStream:
    """A dialogue that is predicted utterance by utterance from sound."""

    def __init__(self, model: WaveModel) -> None:
        self._model = model
        self._state = np.zeros(model.metadata["state"], np.float32)

    def feed(self, samples: NDArray[np.float32], speaker: str) -> Answer:
        """Predict the next utterance.

        Shapes:
            samples: (n,) at 16 kHz between -1 and 1.

        Raises:
            BadInput: the model does not know the speaker, or the samples are not finite; the stream can go on.
        """
        if speaker not in self._model.speakers:
            raise BadInput(f"the model only knows the speakers {', '.join(self._model.speakers)}, not {speaker}")
        if not len(samples) or not np.isfinite(samples).all():
            raise BadInput("the utterance is empty, or contains NaN or infinity")
        number = np.array([self._model.speakers.index(speaker)], np.int64)
        given: dict[str, NDArray[Any]] = {
            "waveform": samples[None].astype(np.float32),
            "samples": np.array([len(samples)], np.int64),
            "speaker": number,
            "state": self._state,
        }
        probabilities, state, features = self._model.run(given, 1 + len(samples) // _UNIT)
        if not (np.isfinite(probabilities).all() and np.isfinite(state).all()):
            raise BadBundle(f"{self._model.path} gives numbers that are not finite: export again")
        self._state = state
        return Answer(probabilities[0], features[0])


def _why_absent(bundle: Path) -> str:
    """Return why a bundle has no model that takes sound utterance by utterance."""
    about = Predictor(bundle).metadata
    recipe = about.get("recipe")
    if not isinstance(recipe, dict) or recipe.get("extractor") != "acoustic":
        features = describe(recipe) if isinstance(recipe, dict) else "features of an unknown extractor"
        return (
            f"the model of {bundle} takes {features}, and only acoustic functionals are computed inside a model: train "
            "on `replicate features acoustic` and export again, or use `replicate predict BUNDLE --audio SOURCE`"
        )
    return (
        f"{bundle} contains no {WAV_STREAM}: its model needs the whole dialogue, or an older version exported it: "
        "export a causal arm, such as `replicate export onnx --arm COGMEN-A-causal`"
    )
