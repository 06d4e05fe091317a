"""Predict the emotion of each utterance of a dialogue from its speech features, with numpy and onnxruntime alone.

Every exported bundle contains a copy of this file as ``predict.py``, with the modules that it imports from this package
in place of the imports (``export.bundle.script``).
``python predict.py FILE.csv`` predicts whole dialogues; ``python predict.py --stream`` (causal models only) predicts
each utterance as soon as its line arrives. It needs Python 3.10 or newer, numpy, and onnxruntime 1.18 or newer.
"""

import os
import signal
import sys

if sys.version_info < (3, 10):  # noqa: UP036 (anything may run the copy in a bundle)
    sys.exit(f"error: predict.py needs Python 3.10 or newer, and this is {sys.version.split()[0]}")
if __name__ == "__main__" and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    # Ctrl-C also ends the imports below without a traceback; nothing is written that could be left half.
    signal.signal(signal.SIGINT, lambda *_: os._exit(130))

import argparse
import csv
import functools
import io
import itertools
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO, TypedDict

try:
    import numpy as np
    import onnxruntime
    from numpy.typing import NDArray
except ImportError as error:
    if __name__ != "__main__":
        raise
    sys.exit(f"error: predict.py needs numpy and onnxruntime ({error}): pip install numpy 'onnxruntime>=1.18'")

from export.bundle_files import BadBundle, BadInput, check_metadata, verify
from export.graph_check import check_probabilities, shown
from export.limited_session import CPU, LimitedSession

MODEL, INT8, STREAM, CHECKSUMS = "model.onnx", "model.int8.onnx", "model.stream.onnx", "checksums.json"
# Name of a dialogue that was given none.
UNNAMED = "dialogue"
# Name and version of the metadata in an exported file; a change of the metadata's keys takes a new number.
FORMAT_NAME, FORMAT_VERSION = "bridging-modalities", 2
# Every utterance attends to all others of its dialogue, so time grows with the square of the length; that of a causal
# model also takes memory, about 300 MB for 2,000 utterances.
MAX_UTTERANCES = 2000
# Largest batch in utterances, padding included: larger ones leave the processor's cache. The number is measured by
# ``python -m export.benchmark.batches``. A longer dialogue is a batch of its own.
BATCH_UTTERANCES = 384
# Characters of a line of input. Without a limit, an input without line ends would be read into memory at once.
LONGEST_LINE = 4_000_000
# Dialogues that ``predict_lines`` keeps in memory, 200 to 600 kB each; the least recently used one is dropped.
MAX_STREAMS = 1000
# What spreadsheets take for the beginning of a formula, and what they cannot: numbers with spaces between them.
FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
NUMBERS = re.compile(r"[-+]?(?:\d[\d.,]*(?:e[-+]?\d+)?|inf|nan)(?: [-+]?(?:\d[\d.,]*(?:e[-+]?\d+)?|inf|nan))*")


_NUMBER = re.compile(r"[+-]?((\d+\.?\d*|\.\d+)(e[+-]?\d+)?|nan|inf|infinity)", re.ASCII | re.IGNORECASE)


class UtterancePrediction(TypedDict):
    """One utterance of the JSON output; ``docs/prediction.schema.json`` describes it. CSV has the same columns.

    ``utterance`` counts from 1 in each dialogue; ``start`` and ``end`` are seconds, None where no times are known.
    """

    dialogue: str
    utterance: int
    speaker: str
    start: float | None
    end: float | None
    label: str
    probabilities: dict[str, float]


@dataclass(frozen=True)
class DialogueFeatures:
    """The input for one dialogue: speech features and speakers of its utterances, in order of time.

    Shapes:
        features: (utterances, width), as the extractor returns them (not standardised).
    """

    id: str
    speakers: Sequence[str]
    features: NDArray[np.float32]


@dataclass(frozen=True)
class Prediction:
    """The model's output for one dialogue.

    Shapes:
        probabilities: (utterances, classes), columns in the order of ``labels``.

    Attributes:
        labels: name of each class.
        first: number of the first utterance here; above 1 for an utterance of a stream.
    """

    id: str
    speakers: Sequence[str]
    labels: Sequence[str]
    probabilities: NDArray[np.float32]
    first: int = 1

    @property
    def emotions(self) -> list[str]:
        """The most probable label of each utterance."""
        return [self.labels[i] for i in self.probabilities.argmax(1)]

    def utterances(self) -> list[UtterancePrediction]:
        """Return the utterances for JSON and CSV output; see ``to_json`` and ``to_csv``."""
        rows = enumerate(zip(self.speakers, self.probabilities, strict=True), self.first)
        return [utterance(self.id, number, speaker, self.labels, row) for number, (speaker, row) in rows]


def utterance(
    dialogue: str,
    number: int,
    speaker: str,
    labels: Sequence[str],
    probabilities: Sequence[float] | NDArray[np.float32],
    times: tuple[float, float] | None = None,
) -> UtterancePrediction:
    """Build the output for one utterance: probabilities are rounded to 6 digits, times (start, end) to milliseconds."""
    values = [float(value) for value in probabilities]
    start, end = (None, None) if times is None else (round(times[0], 3), round(times[1], 3))
    return {
        "dialogue": dialogue,
        "utterance": number,
        "speaker": speaker,
        "start": start,
        "end": end,
        "label": labels[values.index(max(values))],
        "probabilities": {label: round(value, 6) for label, value in zip(labels, values, strict=True)},
    }


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
        # Dynamic quantisation scales activations by the largest value of the whole batch. One dialogue at a time keeps
        # a prediction independent of the other dialogues.
        self._one_by_one = int8

    def __call__(self, features: NDArray[np.floating[Any]], speakers: Sequence[str]) -> Prediction:
        """Predict one dialogue from its features (utterances, width) and the speaker of each utterance.

        Raises:
            BadInput: see ``predict``.
        """
        return self.predict([DialogueFeatures(UNNAMED, speakers, np.asarray(features))])[0]

    def predict(self, dialogues: Iterable[DialogueFeatures]) -> list[Prediction]:
        """Predict several dialogues in batches; the result for each is the same as if it were alone.

        Raises:
            BadInput: the model cannot be run on a dialogue; names it, and the utterance where there is one to name.
        """
        given = list(dialogues)
        speakers = [self.speaker_numbers(dialogue) for dialogue in given]
        lengths = [len(numbers) for numbers in speakers]
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
        return [Prediction(d.id, d.speakers, self.labels, found[i]) for i, d in enumerate(given)]

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
            different = [name for name, value in self.metadata.items() if about[name] != value]
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
        numbers = {_nfc(name): number for number, name in enumerate(self.speakers)}
        for number, name in enumerate(dialogue.speakers, first):
            if _nfc(str(name)) not in numbers:
                known = ", ".join(self.speakers)
                raise BadInput(f"{where}, utterance {number}: speaker {str(name)[:40]!r} is not one of {known}")
        return np.array([numbers[_nfc(str(name))] for name in dialogue.speakers], np.int64)


class Stream:
    """A dialogue that is predicted utterance by utterance; create it with ``Predictor.stream``.

    The memory it takes has a fixed size, whatever the dialogue's length.

    Attributes:
        count: utterances predicted so far.
    """

    def __init__(self, predictor: Predictor, model: "Model", id: str) -> None:
        self.id, self.count = id, 0
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
        if not np.isfinite(probabilities).all():
            raise _overflow(given)
        self._model.check(probabilities, (1, len(self._predictor.labels)))
        self._state, self.count = state, self.count + 1
        return Prediction(self.id, [speaker], self._predictor.labels, probabilities, self.count)


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


class Model(LimitedSession):
    """A model of a bundle, tried on one ordinary utterance.

    Args:
        stream: the file must be one that predicts utterance by utterance.

    Attributes:
        metadata: everything the file says about itself.

    Raises:
        BadBundle: it is no file of our exporter, or cannot be run. BadInput: a provider is not available.
    """

    def __init__(
        self, path: Path, threads: int, providers: Sequence[str], limited: bool = True, stream: bool = False
    ) -> None:
        super().__init__(path, threads, providers, limited)
        self.metadata = read_metadata(self.session, path, stream)
        self._try_out(stream)

    def check(self, probabilities: NDArray[np.float32], shape: tuple[int, ...]) -> None:
        """Check that finite outputs are probabilities. Raises: BadBundle: they are not."""
        try:
            check_probabilities(probabilities, shape)
        except ValueError as error:
            raise BadBundle(f"{self.path} is no model of `replicate export onnx`: {error}; export again") from error

    def _try_out(self, stream: bool) -> None:
        """Predict one utterance with the mean features of the training."""
        about = self.metadata
        audio = np.array(about["standardisation"][about["audio_stream"]]["mean"], np.float32)[None]
        inputs: dict[str, NDArray[Any]]
        if stream:
            inputs = {"audio": audio, "speaker": np.zeros(1, np.int64), "state": np.zeros(about["state"], np.float32)}
        else:
            inputs = {"audio": audio[None], "speaker": np.zeros((1, 1), np.int64), "length": np.ones(1, np.int64)}
        outputs = self.run(inputs, utterances=1)
        if not all(np.isfinite(output).all() for output in outputs):
            raise BadBundle(f"{self.path} gives numbers that are not finite for ordinary features: export again")
        self.check(outputs[0], (*audio.shape[:-1], len(about["labels"])) if stream else (1, 1, len(about["labels"])))


def read_metadata(session: onnxruntime.InferenceSession, path: Path, stream: bool = False) -> dict[str, Any]:
    """Read an exported file's metadata and compare them with its inputs and outputs.

    Args:
        stream: the file must be one that predicts utterance by utterance.

    Raises:
        BadBundle: another version or another program exported the file.
    """
    try:
        found = session.get_modelmeta().custom_metadata_map
    except UnicodeDecodeError as error:
        raise BadBundle(f"{path} was not exported by `replicate export onnx` ({error}): export again") from error
    check_format(found.get("format", ""), path)
    try:
        metadata = check_metadata(found, stream)
        _check_shapes(session, metadata, stream)
    except (KeyError, ValueError, TypeError) as error:
        raise BadBundle(f"{path} was not exported by `replicate export onnx` ({error}): export again") from error
    return metadata


def check_format(found: str, path: Path) -> None:
    """Compare the format that a file names in its metadata with the one that this version writes.

    Raises:
        BadBundle: they differ; says whether the file is older or newer.
    """
    name, _, version = found[:80].partition(" ")
    if name != FORMAT_NAME or not (version.isascii() and version.isdecimal()):
        raise BadBundle(f"{path} was not exported by `replicate export onnx`")
    if int(version) < FORMAT_VERSION:
        raise BadBundle(f"{path} was exported by an older version of this package: export again")
    if int(version) > FORMAT_VERSION:
        raise BadBundle(f"{path} was exported by a newer version of this package: update it, or export again")


def _check_shapes(session: onnxruntime.InferenceSession, metadata: dict[str, Any], stream: bool) -> None:
    """Refuse a file whose inputs and outputs differ from its metadata."""
    inputs, outputs = session.get_inputs(), session.get_outputs()
    found = [{value.name: len(value.shape) for value in values} for values in (inputs, outputs)]
    if stream:
        expected = [{"audio": 2, "speaker": 1, "state": 1}, {"probability": 2, "new_state": 1}]
    else:
        expected = [{"audio": 3, "speaker": 2, "length": 1}, {"probability": 3}]
    if [list(ends.items()) for ends in found] != [list(ends.items()) for ends in expected]:
        raise ValueError(f"its inputs are {shown(', '.join(found[0]))} and its outputs {shown(', '.join(found[1]))}")
    if stream and not inputs[2].shape == outputs[1].shape == [metadata["state"]]:
        raise ValueError("the size of its state differs from its metadata")
    ends = inputs[0].shape[-1], outputs[0].shape[-1]
    if ends != (metadata["widths"][metadata["audio_stream"]], len(metadata["labels"])):
        raise ValueError(f"it maps {shown(ends[0])} features to {shown(ends[1])} classes, unlike its metadata")


def read_csv(path: Path) -> list[DialogueFeatures]:
    """Read dialogues from a CSV file: a header, then a row per utterance with dialogue, speaker and features.

    Raises:
        BadInput: the file cannot be read, or a line is wrong; names it.
    """
    speakers: dict[str, list[str]] = {}
    rows: dict[str, list[NDArray[np.float32]]] = {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            for line in _csv_lines(_bounded(file, str(path)), str(path)):
                speakers.setdefault(line.dialogue, []).append(line.speaker)
                rows.setdefault(line.dialogue, []).append(line.features)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"cannot read {path} ({error}): it must be CSV text in UTF-8") from error
    if not rows:
        raise BadInput(f"{path} has no utterance below its header")
    return [DialogueFeatures(dialogue, speakers[dialogue], np.stack(rows[dialogue])) for dialogue in rows]


@dataclass(frozen=True)
class _Line:
    """One utterance of an input file; ``where`` is its file and line, for messages."""

    where: str
    dialogue: str
    speaker: str
    features: NDArray[np.float32]


def _bounded(file: TextIO, name: str) -> Iterator[str]:
    """Yield the lines of a file, as they arrive."""
    while line := file.readline(LONGEST_LINE + 1):
        if len(line) > LONGEST_LINE:
            raise BadInput(f"{name} has a line of more than {LONGEST_LINE:,} characters: it is not CSV or JSON lines")
        yield line


def _nfc(name: str) -> str:
    """Return a name in the one of Unicode's forms that names are compared in; macOS writes another one."""
    return unicodedata.normalize("NFC", name)


def _csv_lines(file: Iterable[str], name: str) -> Iterator[_Line]:
    lines = csv.reader(file, strict=True)
    rows = (cells for cells in lines if len(cells) > 1 or any(cell.strip() for cell in cells))
    header = [cell.strip() for cell in next(rows, [])]
    where = f"{name}, line {max(lines.line_num, 1)}"
    if [cell.lower() for cell in header[:2]] != ["dialogue", "speaker"] or len(header) < 3:
        other = next((mark for mark in (";", "\t") if mark in "".join(header)), "")
        separated = " (its columns are separated by semicolons or tabs: save it again with commas)" if other else ""
        raise BadInput(f"{where}: the header must be dialogue, speaker, then a name for each feature{separated}")
    twice = sorted(cell for cell, count in Counter(cell.casefold() for cell in header).items() if count > 1 and cell)
    if twice:
        raise BadInput(f"{where}: column {twice[0][:40]!r} appears twice")
    for cells in rows:
        where = f"{name}, line {lines.line_num}"
        if len(cells) != len(header):
            raise BadInput(f"{where}: {len(cells)} cells, but the header has {len(header)}")
        yield _Line(where, _nfc(cells[0].strip()), _nfc(cells[1].strip()), _numbers(cells[2:], where))


def _json_lines(file: Iterable[str], name: str) -> Iterator[_Line]:
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        where = f"{name}, line {number}"
        try:
            if line.lstrip().startswith("["):
                raise TypeError("it is an array: write its objects one a line, as jq -c '.[]' does")
            content = json.loads(line, object_pairs_hook=_without_repeats)
            dialogue, speaker, features = (content[key] for key in ("dialogue", "speaker", "features"))
            if not (isinstance(dialogue, str) and isinstance(speaker, str) and isinstance(features, list)):
                raise TypeError("dialogue and speaker must be strings, features a list")
            if not all(type(value) in (int, float) for value in features):
                raise TypeError("a feature is not a number")
            with np.errstate(over="ignore"):
                numbers = np.array(features, np.float32)
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            shape = '{"dialogue": "...", "speaker": "...", "features": [...]}'
            raise BadInput(f"{where} is not of the form {shape} ({error})") from error
        yield _Line(where, _nfc(dialogue), _nfc(speaker), numbers)


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    twice = [key for key, count in Counter(key for key, _ in pairs).items() if count > 1]
    if twice:
        raise ValueError(f"key {twice[0][:40]!r} appears twice")
    return dict(pairs)


def _numbers(cells: list[str], where: str) -> NDArray[np.float32]:
    try:
        # Python parses 1_0 as 10, and digits of other scripts.
        if any("_" in cell or not cell.isascii() for cell in cells):
            raise ValueError
        with np.errstate(over="ignore"):  # a value too large for float32 becomes infinite and is refused later
            return np.array([float(cell) for cell in cells], np.float32)
    except ValueError as error:
        odd = next((cell for cell in cells if not cell.isascii() or not _NUMBER.fullmatch(cell.strip())), "")
        raise BadInput(f"{where}: {odd[:40]!r} is not a number") from error


def predict_files(
    predictor: Predictor, files: Iterable[Path], read: Callable[[Path], list[DialogueFeatures]] = read_csv
) -> list[Prediction]:
    """Predict the dialogues of several files, in their order.

    Raises:
        BadInput: names the file. Two files with a dialogue of the same name are refused: the output could not tell
            them apart.
    """
    found: list[Prediction] = []
    where: dict[str, Path] = {}
    for path in files:
        try:
            predictions = predictor.predict(read(path))
        except BadInput as error:
            raise BadInput(str(error) if str(path) in str(error) else f"{path}: {error}") from error
        for prediction in predictions:
            if prediction.id in where:
                first = where[prediction.id]
                raise BadInput(
                    f"dialogue {prediction.id[:100]} is in both {first} and {path}: predict one file at a time"
                )
        where |= {prediction.id: path for prediction in predictions}
        found += predictions
    return found


def predict_lines(predictor: Predictor, lines: Iterable[str], as_json: bool, name: str = "stdin") -> Iterator[str]:
    """Predict each utterance as soon as its line is read; yields a line of output for each.

    Lines are CSV below a header, or JSON objects. Dialogues may be interleaved: each has its own stream, up to
    ``MAX_STREAMS``; then the least recently used one is dropped and would start anew.

    Args:
        as_json: yield JSON objects instead of CSV.
        name: of the input, for messages.

    Raises:
        BadInput: a line is wrong; the output for the lines before it was already given. BadBundle: see ``stream``.
    """
    streams: dict[str, Stream] = {}
    predictor.stream()  # refuses the bundle of a model that is not causal, before the first line
    given = iter(lines)
    try:
        begin, first = _first_line(given)
        read = _json_lines if first.lstrip().startswith(("{", "[")) else _csv_lines
        for count, line in enumerate(read(itertools.chain(begin, given), name) if first else ()):
            stream = streams.pop(line.dialogue, None) or predictor.stream(line.dialogue)
            streams[line.dialogue] = stream
            if len(streams) > MAX_STREAMS:
                del streams[next(iter(streams))]
            try:
                found = stream.feed(line.features, line.speaker).utterances()
            except BadInput as error:
                raise BadInput(f"{line.where}: {error}") from error
            yield json_text(found[0], None) + "\n" if as_json else to_csv(found, header=count == 0)
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"cannot read {name} ({error}): it must be CSV or JSON lines in UTF-8") from error


def _first_line(lines: Iterator[str]) -> tuple[list[str], str]:
    """Return the lines up to the first that is not blank, and this one; it is empty if there is none."""
    taken = []
    for line in lines:
        taken.append(line)
        if line.strip():
            return taken, line
    return taken, ""


def to_json(utterances: Sequence[UtterancePrediction]) -> str:
    """Write predictions as a JSON array with an object for each utterance."""
    return json_text(utterances) + "\n"


def to_csv(utterances: Sequence[UtterancePrediction], header: bool = True) -> str:
    """Write predictions as CSV: a row for each utterance, with a column of probabilities for each label."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if header:
        labels = list(utterances[0]["probabilities"]) if utterances else []
        writer.writerow(["dialogue", "utterance", "speaker", "start", "end", "label", *map(csv_cell, labels)])
    for one in utterances:
        times = ["" if time is None else f"{time:.3f}" for time in (one["start"], one["end"])]
        values = [f"{value:.6f}" for value in one["probabilities"].values()]
        names = [csv_cell(one[key]) for key in ("dialogue", "speaker", "label")]
        writer.writerow([names[0], one["utterance"], names[1], *times, names[2], *values])
    return text.getvalue()


def one_line(text: str) -> str:
    """Return text on one line: line ends and wide spaces become spaces, other unprintable characters U+FFFD."""
    return text if text.isprintable() else "".join(c if c.isprintable() else _harmless(c) for c in text)


def _harmless(c: str) -> str:
    return " " if c in "\n\r\t\v\f\x85" or unicodedata.category(c) in ("Zs", "Zl", "Zp") else "\ufffd"


def csv_cell(text: str) -> str:
    """Return text for a CSV file: an apostrophe is put in front of what spreadsheets take for a formula."""
    text = one_line(text)
    formula = text.lstrip().startswith(FORMULA) and not NUMBERS.fullmatch(text)
    return f"'{text}" if formula else text


def json_text(content: Any, indent: int | None = 1) -> str:
    r"""Return JSON in which letters of all scripts stay readable, and unprintable characters are ``\uXXXX``."""
    text = json.dumps(content, indent=indent, ensure_ascii=False)
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)


def stdin_lines() -> Iterable[str]:
    """Return the lines of stdin as they arrive, decoded as UTF-8 on every system.

    Raises:
        BadInput: stdin is closed.
    """
    if sys.stdin is None:
        raise BadInput("stdin is closed: redirect it from a file, or write the lines into a pipe")
    return _bounded(io.TextIOWrapper(sys.stdin.buffer, "utf-8-sig", newline=""), "stdin")


def main() -> None:
    """Run the command line of the copy in a bundle."""
    parser = argparse.ArgumentParser(description="Predict the emotion of every utterance, as CSV on stdout.")
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE.csv", help="header: dialogue,speaker,FEATURES...")
    parser.add_argument("--json", action="store_true", help="JSON instead of CSV")
    parser.add_argument("--int8", action="store_true", help="use the quantised model")
    parser.add_argument("--stream", action="store_true", help="predict each line of stdin at once, CSV or JSON objects")
    given = parser.parse_args()
    if bool(given.files) == given.stream or (given.stream and given.int8):
        parser.error("give either FILE.csv or --stream; --int8 is for files only")
    if sys.stdout is None:
        sys.exit("error: stdout is closed: redirect it to a file, or into a pipe")
    try:
        predictor = Predictor(Path(__file__).parent, given.int8)
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
        if given.stream:
            for line in predict_lines(predictor, stdin_lines(), given.json):
                print(line, end="", flush=True)
            return
        found = [one for prediction in predict_files(predictor, given.files) for one in prediction.utterances()]
        sys.stdout.write(to_json(found) if given.json else to_csv(found))
        sys.stdout.flush()
    except BrokenPipeError:  # the program that reads the output, such as head, has ended
        _discard_output()
    except (ValueError, OSError) as error:
        _discard_output()
        sys.exit(f"error: {one_line(str(error))}")
    except MemoryError:
        sys.exit("error: too little memory: predict fewer or shorter dialogues at a time")


def _discard_output() -> None:
    """Let what is left in the buffer of stdout not fail at the end of the program, where it would be a traceback."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
