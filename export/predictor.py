"""Predict the emotion of each utterance of a dialogue from its speech features, with numpy and onnxruntime alone.

``predict.py`` of every bundle contains this module.
"""

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.bundle_files import CHECKSUMS, INT8, MODEL, STREAM, BadBundle, BadInput, verify
from export.distance import FIRST, Distance, training_range
from export.graph_check import listed
from export.limited_session import CPU
from export.lines import DialogueFeatures, nfc, read_csv
from export.model_file import FORMAT_NAME, FORMAT_VERSION, Model
from export.normalise import normalised
from export.output import UtterancePrediction, to_csv, to_json, utterance

__all__ = [
    "BATCH_UTTERANCES",
    "CHECKSUMS",
    "FORMAT_NAME",
    "FORMAT_VERSION",
    "INT8",
    "MAX_UTTERANCES",
    "MODEL",
    "STREAM",
    "BadBundle",
    "BadInput",
    "DialogueFeatures",
    "Distance",
    "Prediction",
    "Predictor",
    "Stream",
    "UtterancePrediction",
    "read_csv",
    "to_csv",
    "to_json",
    "utterance",
    "verify",
]

# Name of a dialogue that was given none.
UNNAMED = "dialogue"
# Every utterance attends to all others of its dialogue, so time grows with the square of the length; that of a causal
# model also takes memory, about 300 MB for 2,000 utterances.
MAX_UTTERANCES = 2000
# Largest batch in utterances, padding included: larger ones leave the processor's cache. The number is measured by
# ``python -m export.benchmark.batches``. A longer dialogue is a batch of its own.
BATCH_UTTERANCES = 384


@dataclass(frozen=True)
class Prediction:
    """The model's output for one dialogue.

    Shapes:
        probabilities: (utterances, classes), columns in the order of ``labels``.

    Attributes:
        labels: name of each class.
        first: number of the first utterance here; above 1 for an utterance of a stream.
        distance: how far the recording lies from those of the training; None for bundles of earlier versions. Of a
            stream, it is that of its first utterances.
    """

    id: str
    speakers: Sequence[str]
    labels: Sequence[str]
    probabilities: NDArray[np.float32]
    first: int = 1
    distance: Distance | None = None

    @property
    def emotions(self) -> list[str]:
        """The most probable label of each utterance."""
        return [self.labels[i] for i in self.probabilities.argmax(1)]

    def utterances(self) -> list[UtterancePrediction]:
        """Return the utterances for JSON and CSV output; see ``to_json`` and ``to_csv``."""
        rows = enumerate(zip(self.speakers, self.probabilities, strict=True), self.first)
        return [utterance(self.id, number, speaker, self.labels, row) for number, (speaker, row) in rows]


class Predictor:
    """An exported model, ready to predict: the bundle's checksums and the model's metadata are checked first.

    Args:
        bundle: the folder that ``replicate export onnx`` wrote.
        int8: use the quantised model.
        threads: number of CPU threads; 0 uses all cores.
        providers: onnxruntime's execution providers, in order of preference.
        limited: refuse a model that needs more than ``MAX_MEMORY`` for all predictors of this process, or far more time
            than an exported one. False is for servers that predict long dialogues at the same time with a bundle that
            they trust.

    Attributes:
        labels: name of each class. speakers: the speaker names that the model accepts.
        audio_stream: the feature stream of the corpus that is the model's input. width: number of its columns.
        metadata: everything the model's file says about itself.
        batch_utterances: largest batch in utterances; on another device, such as a GPU, more may be faster.

    Raises:
        BadBundle: the folder is not a bundle, or a file in it was changed. BadInput: a provider is not available.
    """

    def __init__(
        self,
        bundle: Path | str,
        int8: bool = False,
        threads: int = 1,
        providers: Sequence[str] = (CPU,),
        limited: bool = True,
    ) -> None:
        folder = Path(bundle)
        verify(folder)
        path = folder / (INT8 if int8 else MODEL)
        if not path.is_file():
            raise BadBundle(f"{folder} contains no {path.name} (its README.md says why): use {MODEL}")
        self._model = Model(path, threads, providers, limited)
        self.session, self.metadata = self._model.session, self._model.metadata
        self._streaming: Model | None = None
        self._open_stream = functools.partial(Model, folder / STREAM, threads, providers, limited, stream=True)
        self.labels: list[str] = self.metadata["labels"]
        self.speakers: list[str] = self.metadata["speakers"]
        self.audio_stream: str = self.metadata["audio_stream"]
        self.width: int = self.metadata["widths"][self.audio_stream]
        self.batch_utterances = BATCH_UTTERANCES
        self._range = training_range(self.metadata)
        # Dynamic quantisation scales activations by the largest value of the whole batch. One dialogue at a time keeps
        # a prediction independent of the other dialogues.
        self._one_by_one = int8

    def __call__(
        self, features: NDArray[np.floating[Any]], speakers: Sequence[str], normalise: str | None = None
    ) -> Prediction:
        """Predict one dialogue from its features (utterances, width) and the speaker of each; see ``predict``."""
        return self.predict([DialogueFeatures(UNNAMED, speakers, np.asarray(features))], normalise)[0]

    def predict(self, dialogues: Iterable[DialogueFeatures], normalise: str | None = None) -> list[Prediction]:
        """Predict several dialogues in batches; the result for each is the same as if it were alone.

        Args:
            normalise: "recording" or "speaker" adapts the scale of features to each, see ``export.normalise``.

        Raises:
            BadInput: the model cannot be run on a dialogue; names it, and the utterance where there is one to name.
        """
        raw = given = list(dialogues)
        speakers = [self.speaker_numbers(dialogue) for dialogue in given]
        lengths = [len(numbers) for numbers in speakers]
        if normalise:
            scale = self.metadata["standardisation"][self.audio_stream]
            given = [normalised(dialogue, scale, normalise) for dialogue in given]
        found: dict[int, NDArray[np.float32]] = {}
        for batch in _batches(lengths, 1 if self._one_by_one else self.batch_utterances):
            longest = max(lengths[i] for i in batch)
            audio = np.zeros((len(batch), longest, self.width), np.float32)
            speaker = np.zeros((len(batch), longest), np.int64)
            for row, i in enumerate(batch):
                audio[row, : lengths[i]] = given[i].features
                speaker[row, : lengths[i]] = speakers[i]
            length = np.array([lengths[i] for i in batch], np.int64)
            (output,) = self._model.run({"audio": audio, "speaker": speaker, "length": length}, speaker.size)
            found |= {i: output[row, : lengths[i]] for row, i in enumerate(batch)}
        if not all(np.isfinite(probabilities).all() for probabilities in found.values()):
            # An overflow makes the whole batch NaN: name the dialogue with the largest feature.
            raise _overflow(max(given, key=lambda dialogue: float(np.abs(dialogue.features).max())))
        for i, probabilities in found.items():
            self._model.check(probabilities, (lengths[i], len(self.labels)))
        return [
            Prediction(d.id, d.speakers, self.labels, found[i], distance=self.distance(d.features))
            for i, d in enumerate(raw)
        ]

    def distance(self, features: NDArray[np.floating[Any]]) -> Distance | None:
        """Measure how far a recording (utterances, width) lies from the training; None if that is not known."""
        return None if self._range is None else self._range.distance(features)

    def stream(self, id: str = UNNAMED) -> "Stream":
        """Start a dialogue that is predicted utterance by utterance.

        Raises:
            BadBundle: the bundle's model is not causal: it needs the whole dialogue.
        """
        if self._streaming is None:
            path: Path = self._open_stream.args[0]
            if not path.is_file():
                raise BadBundle(
                    f"{path.parent} contains no {STREAM}, because its model needs the whole dialogue: export a causal "
                    "arm, such as `replicate export onnx --arm COGMEN-A-causal`"
                )
            self._streaming = self._open_stream()
            about = self._streaming.metadata
            different = [name for name, value in self.metadata.items() if about.get(name) != value]
            if different:
                raise BadBundle(f"{path} is of another model than {MODEL} ({different[0]} differs): export again")
        return Stream(self, self._streaming, id)

    def speaker_numbers(self, dialogue: DialogueFeatures, first: int = 1) -> NDArray[np.int64]:
        """Check a dialogue and return the model's number for the speaker of each utterance.

        Args:
            first: number of the first utterance, for messages.

        Raises:
            BadInput: the model cannot be run on the dialogue.
        """
        features = dialogue.features
        where = "the dialogue" if dialogue.id == UNNAMED else f"dialogue {dialogue.id[:100]}"
        if features.ndim != 2 or len(features) == 0:
            raise BadInput(f"{where} has no utterance: its shape is {features.shape}, not (utterances, features)")
        if features.shape[1] != self.width:
            raise BadInput(
                f"{where} has {features.shape[1]} features, but this model takes {self.width}: use the extractor that "
                f"made the features of {self.metadata['corpus']['name']}"
            )
        if len(features) > MAX_UTTERANCES:
            raise BadInput(
                f"{where} has {len(features)} utterances, more than {MAX_UTTERANCES}: split it where topics change"
            )
        if len(dialogue.speakers) != len(features):
            raise BadInput(f"{where} has {len(dialogue.speakers)} speakers for {len(features)} utterances")
        with np.errstate(over="ignore"):
            bad = np.argwhere(~np.isfinite(features.astype(np.float32)))
        if bad.size:
            raise BadInput(f"{where}, utterance {bad[0][0] + first}: feature {bad[0][1] + 1} is not a finite number")
        numbers = {nfc(name): number for number, name in enumerate(self.speakers)}
        for number, name in enumerate(dialogue.speakers, first):
            if nfc(str(name)) not in numbers:
                raise BadInput(
                    f"{where}, utterance {number}: speaker {str(name)[:40]!r} is not one of {listed(self.speakers)}"
                )
        return np.array([numbers[nfc(str(name))] for name in dialogue.speakers], np.int64)


class Stream:
    """A dialogue that is predicted utterance by utterance; create it with ``Predictor.stream``.

    The memory it takes has a fixed size, whatever the dialogue's length.

    Attributes:
        count: utterances predicted so far.
        distance: how far its first utterances lie from those of the training, as in ``Prediction``.
    """

    def __init__(self, predictor: Predictor, model: "Model", id: str) -> None:
        self.id, self.count = id, 0
        self.distance: Distance | None = None
        self._first: list[NDArray[np.float32]] = []
        self._predictor, self._model = predictor, model
        self._state = np.zeros(model.metadata["state"], np.float32)

    def feed(self, features: NDArray[np.floating[Any]], speaker: str) -> Prediction:
        """Predict the next utterance from its features (width,) and its speaker.

        Raises:
            BadInput: the model cannot be run on it; the stream is unchanged and can go on.
        """
        given = DialogueFeatures(self.id, [speaker], np.asarray(features)[None])
        number = self._predictor.speaker_numbers(given, self.count + 1)
        audio = given.features.astype(np.float32)
        probabilities, state = self._model.run({"audio": audio, "speaker": number, "state": self._state})
        if not (np.isfinite(probabilities).all() and np.isfinite(state).all()):
            raise _overflow(given)
        self._model.check(probabilities, (1, len(self._predictor.labels)))
        self._state, self.count = state, self.count + 1
        if self.count <= FIRST:
            self._first.append(audio)
            self.distance = self._predictor.distance(np.concatenate(self._first))
        return Prediction(self.id, [speaker], self._predictor.labels, probabilities, self.count, self.distance)


def _overflow(dialogue: DialogueFeatures) -> BadInput:
    largest = float(np.abs(dialogue.features).max())
    return BadInput(f"dialogue {dialogue.id[:100]} has features as large as {largest:.0e}, which overflow in the model")


def _batches(lengths: list[int], most: int) -> list[list[int]]:
    """Group dialogues of similar length, so that batches contain little padding; returns their positions.

    Args:
        most: utterances in a batch of several dialogues, padding included.
    """
    batches: list[list[int]] = []
    for i in sorted(range(len(lengths)), key=lambda i: lengths[i]):
        if batches and (len(batches[-1]) + 1) * lengths[i] <= most:
            batches[-1].append(i)
        else:
            batches.append([i])
    return batches
