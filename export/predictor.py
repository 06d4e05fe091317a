"""Emotions of utterances from speech features. Needs numpy and onnxruntime, nothing else.

Every exported bundle holds this file as ``predict.py``, where it works alone: ``python predict.py FILE.csv``. Hence all
of it is one module. A causal model's bundle also answers while people speak: ``python predict.py --stream``.
"""

import argparse
import csv
import hashlib
import io
import itertools
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

MODEL, INT8, STREAM, CHECKSUMS = "model.onnx", "model.int8.onnx", "model.stream.onnx", "checksums.json"
# What the file calls itself in its metadata.
FORMAT = "bridging-modalities 1"
# Every utterance attends to all others of its dialogue, so memory grows with the square of the length: 2,000
# utterances need some 300 MB.
LONGEST = 2000
# Utterances, and pairs of utterances, that are computed together at most.
ROWS, PAIRS = 4096, LONGEST**2
# Dialogues that a stream of lines keeps at once, 200 to 600 kB each; the least recently heard one is forgotten.
AT_ONCE = 1000


class BadBundle(ValueError):
    """A bundle is not as it was written, or none."""


class BadInput(ValueError):
    """Features or speakers that the model cannot take."""


@dataclass(frozen=True)
class DialogueFeatures:
    """A dialogue to be predicted: features (n, width) in order of time, and who speaks each utterance."""

    id: str
    speakers: Sequence[str]
    features: NDArray[np.float32]


@dataclass(frozen=True)
class Prediction:
    """What the model says of a dialogue.

    Shapes:
        probability: (n, classes), in the order of ``labels``.

    Attributes:
        first: number of the first of these utterances in the dialogue.
    """

    id: str
    speakers: Sequence[str]
    labels: Sequence[str]
    probability: NDArray[np.float32]
    first: int = 1

    @property
    def emotions(self) -> list[str]:
        """The most probable emotion of each utterance."""
        return [self.labels[i] for i in self.probability.argmax(1)]


class Predictor:
    """An exported model, checked against its bundle's checksums, on the CPU or any of onnxruntime's providers.

    Args:
        bundle: the folder that ``replicate export onnx`` wrote.
        int8: take the quantised model.
        threads: that one call uses; 0 takes all cores.

    Raises:
        BadBundle: the folder is no bundle, or a file in it was changed.
    """

    def __init__(
        self,
        bundle: Path | str,
        int8: bool = False,
        threads: int = 1,
        providers: Sequence[str] = ("CPUExecutionProvider",),
    ) -> None:
        folder = Path(bundle)
        verify(folder)
        path = folder / (INT8 if int8 else MODEL)
        if not path.is_file():
            raise BadBundle(f"{folder} holds no {path.name}: its model card says why; use {MODEL}")
        self._options = onnxruntime.SessionOptions()
        self._options.intra_op_num_threads = threads
        self._options.inter_op_num_threads = 1
        self._folder, self._providers = folder, providers
        self._streaming: onnxruntime.InferenceSession | None = None
        self.session = open_session(path, self._options, providers)
        self.about = metadata(self.session, path)
        self.labels: list[str] = self.about["labels"]
        self.speakers: list[str] = self.about["speakers"]
        self.audio_stream = _heard(self.about)
        self.width: int = self.about["widths"][self.audio_stream]
        # Eight bits are scaled by the largest number of a batch: alone, a dialogue depends on nobody else.
        self._alone = int8

    def __call__(self, features: NDArray[np.floating[Any]], speakers: Sequence[str]) -> Prediction:
        """What the model says of one dialogue: features (n, width), and a speaker's name for each utterance."""
        return self.predict([DialogueFeatures("dialogue", speakers, np.asarray(features))])[0]

    def predict(self, dialogues: Iterable[DialogueFeatures]) -> list[Prediction]:
        """What the model says of each dialogue; who shares a batch changes nothing.

        Raises:
            BadInput: naming the dialogue, and the utterance where it is one.
        """
        given = list(dialogues)
        numbers = [self._checked(dialogue) for dialogue in given]
        found: dict[int, NDArray[np.float32]] = {}
        for batch in [[i] for i in range(len(given))] if self._alone else _batches([len(n) for n in numbers]):
            longest = max(len(numbers[i]) for i in batch)
            audio = np.zeros((len(batch), longest, self.width), np.float32)
            speaker = np.zeros((len(batch), longest), np.int64)
            for row, i in enumerate(batch):
                audio[row, : len(numbers[i])] = given[i].features
                speaker[row, : len(numbers[i])] = numbers[i]
            length = np.array([len(numbers[i]) for i in batch], np.int64)
            (probability,) = self.session.run(None, {"audio": audio, "speaker": speaker, "length": length})
            found |= {i: probability[row, : len(numbers[i])] for row, i in enumerate(batch)}
        if not all(np.isfinite(probability).all() for probability in found.values()):
            # Whoever shares a batch with it is spoilt, too: name the one that did it.
            largest, name = max((float(np.abs(d.features).max()), d.id) for d in given)
            raise BadInput(f"dialogue {name} has features as large as {largest:.0e}: the model overflows")
        return [Prediction(d.id, d.speakers, self.labels, found[i]) for i, d in enumerate(given)]

    def stream(self, id: str = "dialogue") -> "Stream":
        """A dialogue that is answered utterance by utterance; it starts here.

        Raises:
            BadBundle: the bundle's model needs the whole dialogue.
        """
        if self._streaming is None:
            path = self._folder / STREAM
            if not path.is_file():
                raise BadBundle(
                    f"{self._folder} holds no {STREAM}, for its model needs the whole dialogue: export a causal arm, "
                    "such as `replicate export onnx --arm COGMEN-A-causal`"
                )
            self._streaming = open_session(path, self._options, self._providers)
            metadata(self._streaming, path, stream=True)
        return Stream(self, self._streaming, id)

    def _checked(self, dialogue: DialogueFeatures, first: int = 1) -> NDArray[np.int64]:
        """The speakers' numbers of a dialogue that the model can take; ``first`` is its first utterance's number."""
        where, features = f"dialogue {dialogue.id}", dialogue.features
        if features.ndim != 2 or len(features) == 0:
            raise BadInput(
                f"{where} holds no utterance (shape {features.shape} where (utterances, features) is needed)"
            )
        if features.shape[1] != self.width:
            raise BadInput(
                f"{where} has {features.shape[1]} features where this model takes {self.width}: use the extractor that "
                f"made the features of {self.about['corpus']['name']}"
            )
        if len(features) > LONGEST:
            raise BadInput(f"{where} has {len(features)} utterances, more than {LONGEST}: cut it where topics change")
        if len(dialogue.speakers) != len(features):
            raise BadInput(f"{where}: {len(dialogue.speakers)} speakers for {len(features)} utterances")
        with np.errstate(over="ignore"):
            bad = np.argwhere(~np.isfinite(features.astype(np.float32)))
        if bad.size:
            raise BadInput(f"{where}, utterance {bad[0][0] + first}, feature {bad[0][1] + 1} is no finite number")
        for i, name in enumerate(dialogue.speakers):
            if name not in self.speakers:
                known = ", ".join(self.speakers)
                raise BadInput(f"{where}, utterance {i + first}: speaker {str(name)[:40]!r} is none of {known}")
        return np.array([self.speakers.index(name) for name in dialogue.speakers], np.int64)


class Stream:
    """A dialogue while it is spoken; ``Predictor.stream`` begins one. What it remembers has a fixed size.

    Attributes:
        heard: utterances so far.
    """

    def __init__(self, predictor: Predictor, session: onnxruntime.InferenceSession, id: str) -> None:
        self.id, self.audio_stream = id, 0
        self._predictor, self._session = predictor, session
        self._state = np.zeros(session.get_inputs()[2].shape, np.float32)

    def feed(self, features: NDArray[np.floating[Any]], speaker: str) -> Prediction:
        """What the model says of the next utterance: features (width,), and the speaker's name.

        Raises:
            BadInput: the model cannot take it; the dialogue stays as it was.
        """
        spoken = DialogueFeatures(self.id, [speaker], np.asarray(features)[None])
        number = self._predictor._checked(spoken, self.audio_stream + 1)
        audio = spoken.features.astype(np.float32)
        given = {"audio": audio, "speaker": number, "state": self._state}
        probability, state = self._session.run(None, given)
        if not np.isfinite(probability).all():
            largest = float(np.abs(audio).max())
            raise BadInput(f"dialogue {self.id} has features as large as {largest:.0e}: the model overflows")
        self._state, self.audio_stream = state, self.audio_stream + 1
        return Prediction(self.id, [speaker], self._predictor.labels, probability, self.audio_stream)


def _batches(lengths: list[int]) -> list[list[int]]:
    """Places of dialogues that are computed together, of like length, so that little is padded."""
    batches: list[list[int]] = []
    for i in sorted(range(len(lengths)), key=lambda i: lengths[i]):
        n, size = lengths[i], len(batches[-1]) + 1 if batches else 0
        if batches and size * n <= ROWS and size * n * n <= PAIRS:
            batches[-1].append(i)
        else:
            batches.append([i])
    return batches


def verify(folder: Path) -> None:
    """Compare every file of a bundle with its checksum; ``checksums.json`` lists them.

    Raises:
        BadBundle: naming every file that was changed or is not there.
    """
    try:
        listed = json.loads((folder / CHECKSUMS).read_text(encoding="utf-8"))
        wrong = [name for name, digest in listed.items() if digest is None or _sha256(folder, name) != digest]
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        raise BadBundle(f"{folder} is no bundle of `replicate export onnx` ({error})") from error
    if wrong:
        raise BadBundle(f"{folder} is not as it was exported: {', '.join(wrong)} changed or missing; export it again")
    if MODEL not in listed:
        raise BadBundle(f"{folder} is no bundle of `replicate export onnx`: {CHECKSUMS} does not list {MODEL}")
    for name in (INT8, STREAM):
        if name not in listed and (folder / name).exists():
            raise BadBundle(f"{folder} is not as it was exported: {CHECKSUMS} does not list {name}; export it again")


def _sha256(folder: Path, name: str) -> str | None:
    path = folder / name
    inside = path.resolve().is_relative_to(folder.resolve())
    return hashlib.sha256(path.read_bytes()).hexdigest() if inside and path.is_file() else None


def open_session(
    path: Path, options: onnxruntime.SessionOptions, providers: Sequence[str]
) -> onnxruntime.InferenceSession:
    """An onnxruntime session that runs on the providers asked for, and on no other.

    Raises:
        BadBundle: onnxruntime refuses the file. BadInput: a provider is not on this machine.
    """
    missing = set(providers) - set(onnxruntime.get_available_providers())
    if missing:
        here = ", ".join(onnxruntime.get_available_providers())
        raise BadInput(f"onnxruntime has no {', '.join(sorted(missing))} here, only {here}")
    try:
        session = onnxruntime.InferenceSession(path, options, providers=list(providers))
    except Exception as error:  # onnxruntime's exceptions have no common base
        raise BadBundle(f"onnxruntime cannot open {path}: {' '.join(str(error).split())[:200]}") from error
    if session.get_providers()[0] != providers[0]:
        raise BadInput(f"onnxruntime fell back from {providers[0]} to {session.get_providers()[0]}: check its drivers")
    return session


def metadata(session: onnxruntime.InferenceSession, path: Path, stream: bool = False) -> dict[str, Any]:
    """What an exported file says of itself; ``stream`` demands one that answers utterance by utterance.

    Raises:
        BadBundle: it was not exported by this package.
    """
    found = session.get_modelmeta().custom_metadata_map
    try:
        if found["format"] != FORMAT:
            raise KeyError(f"format {found['format']!r}")
        about = {key: value if key == "format" else json.loads(value) for key, value in found.items()}
        _demand_shapes(session, about, stream)
    except (KeyError, ValueError, TypeError, RecursionError) as error:
        raise BadBundle(f"{path} was not exported by this version of `replicate export onnx` ({error})") from error
    return about


def _demand_shapes(session: onnxruntime.InferenceSession, about: dict[str, Any], stream: bool) -> None:
    """Refuse a file whose inputs and output are not what it says of itself."""
    for name in ("labels", "speakers"):
        if not (isinstance(about[name], list) and about[name] and all(isinstance(x, str) for x in about[name])):
            raise ValueError(f"its {name} are no names")
    shapes = {value.name: len(value.shape) for value in session.get_inputs()}
    outputs = session.get_outputs()
    names = [value.name for value in outputs]
    expected = {"audio": 2, "speaker": 1, "state": 1} if stream else {"audio": 3, "speaker": 2, "length": 1}
    if shapes != expected or names != (["probability", "new_state"] if stream else ["probability"]):
        raise ValueError(f"it takes {', '.join(shapes)} and gives {', '.join(names)}")
    if stream and not session.get_inputs()[2].shape == outputs[1].shape == [about["state"]]:
        raise ValueError("its state is of another size than it says")
    ends = session.get_inputs()[0].shape[-1], outputs[0].shape[-1]
    if ends != (about["widths"][_heard(about)], len(about["labels"])):
        raise ValueError(f"it takes {ends[0]} features to {ends[1]} classes, and says otherwise")


def _heard(about: dict[str, Any]) -> str:
    """The stream that the model hears; older files, which do not say, hear this one."""
    return str(about.get("heard", "audio"))


def read_csv(path: Path) -> list[DialogueFeatures]:
    """Dialogues of a CSV file: a header, then a row per utterance: dialogue, speaker, features.

    Raises:
        BadInput: naming the line that is none.
    """
    speakers: dict[str, list[str]] = {}
    rows: dict[str, list[NDArray[np.float32]]] = {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            for line in _csv_lines(file, str(path)):
                speakers.setdefault(line.dialogue, []).append(line.speaker)
                rows.setdefault(line.dialogue, []).append(line.features)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"cannot read {path} ({error})") from error
    if not rows:
        raise BadInput(f"{path} holds no utterance below its header")
    return [DialogueFeatures(dialogue, speakers[dialogue], np.stack(rows[dialogue])) for dialogue in rows]


@dataclass(frozen=True)
class _Line:
    """An utterance as a line gives it, and where that line stands."""

    where: str
    dialogue: str
    speaker: str
    features: NDArray[np.float32]


def _csv_lines(file: Iterable[str], name: str) -> Iterator[_Line]:
    lines = csv.reader(file)
    header = next(lines, [])
    if [cell.strip().lower() for cell in header[:2]] != ["dialogue", "speaker"] or len(header) < 3:
        raise BadInput(f"{name}, line 1: the header must be dialogue, speaker, then a name for each feature")
    twice = sorted(cell for cell, count in Counter(header[2:]).items() if count > 1 and cell)
    if twice:
        raise BadInput(f"{name}, line 1: column {twice[0]!r} is there twice")
    for cells in lines:
        if not cells:
            continue
        where = f"{name}, line {lines.line_num}"
        if len(cells) != len(header):
            raise BadInput(f"{where}: {len(cells)} cells where the header has {len(header)}")
        yield _Line(where, cells[0].strip(), cells[1].strip(), _numbers(cells[2:], where))


def _json_lines(file: Iterable[str], name: str) -> Iterator[_Line]:
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        where = f"{name}, line {number}"
        try:
            content = json.loads(line)
            dialogue, speaker, features = (content[key] for key in ("dialogue", "speaker", "features"))
            if not (isinstance(dialogue, str) and isinstance(speaker, str) and isinstance(features, list)):
                raise TypeError("a name or the list of features is of another kind")
            if not all(type(value) in (int, float) for value in features):
                raise TypeError("a feature is no number")
            with np.errstate(over="ignore"):
                numbers = np.array(features, np.float32)
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            shape = '{"dialogue": "...", "speaker": "...", "features": [...]}'
            raise BadInput(f"{where} is not of the form {shape} ({error})") from error
        yield _Line(where, dialogue, speaker, numbers)


def _numbers(cells: list[str], where: str) -> NDArray[np.float32]:
    try:
        if any("_" in cell for cell in cells):  # Python reads 1_0 as ten
            raise ValueError(f"could not convert {next(cell for cell in cells if '_' in cell)!r}")
        with np.errstate(over="ignore"):  # what does not fit becomes infinite, and is refused as such
            return np.array([float(cell) for cell in cells], np.float32)
    except ValueError as error:
        raise BadInput(f"{where}: {error}") from error


def predict_files(
    predictor: Predictor, files: Iterable[Path], read: Callable[[Path], list[DialogueFeatures]] = read_csv
) -> list[Prediction]:
    """Predictions for the dialogues of several files, in their order.

    Raises:
        BadInput: naming the file; also where two files hold dialogues of one name, whose rows nobody could tell apart.
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
                raise BadInput(f"dialogue {prediction.id} is in {where[prediction.id]} and in {path}: one at a time")
        where |= {prediction.id: path for prediction in predictions}
        found += predictions
    return found


def answers(predictor: Predictor, lines: Iterable[str], as_json: bool, name: str = "stdin") -> Iterator[str]:
    """One answer for each utterance, as soon as its line is there: CSV below a header, or a JSON object a line.

    Dialogues may interleave, each keeps its state; of more than ``AT_ONCE`` the least recently heard starts anew.

    Raises:
        BadInput: naming the first line that is none; what was answered before stands. BadBundle: see ``stream``.
    """
    dialogues: dict[str, Stream] = {}
    predictor.stream()  # a bundle that cannot is refused before anybody speaks
    given = iter(lines)
    try:
        first = next(given, "")
        given = itertools.chain([first] if first else [], given)
        read = _json_lines if first.lstrip().startswith("{") else _csv_lines
        for count, line in enumerate(read(given, name) if first else ()):
            spoken = dialogues.pop(line.dialogue, None) or predictor.stream(line.dialogue)
            dialogues[line.dialogue] = spoken
            if len(dialogues) > AT_ONCE:
                del dialogues[next(iter(dialogues))]
            try:
                prediction = spoken.feed(line.features, line.speaker)
            except BadInput as error:
                raise BadInput(f"{line.where}: {error}") from error
            if as_json:
                about = {"dialogue": prediction.id, "utterance": prediction.first} | _utterances(prediction)[0]
                yield json.dumps(about, ensure_ascii=False) + "\n"
            else:
                yield as_csv([prediction], header=count == 0)
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"cannot read {name} ({error})") from error


def as_json(predictions: Sequence[Prediction]) -> str:
    """Predictions as JSON: a list of dialogues with their utterances."""
    content = [{"dialogue": p.id, "utterances": _utterances(p)} for p in predictions]
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _utterances(p: Prediction) -> list[dict[str, Any]]:
    return [
        {
            "speaker": speaker,
            "emotion": emotion,
            "probability": {label: round(float(v), 6) for label, v in zip(p.labels, row, strict=True)},
        }
        for speaker, emotion, row in zip(p.speakers, p.emotions, p.probability, strict=True)
    ]


def as_csv(predictions: Sequence[Prediction], header: bool = True) -> str:
    """Predictions as CSV: a row per utterance, a column of probabilities per emotion."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    labels = predictions[0].labels if predictions else ()
    if header:
        writer.writerow(["dialogue", "utterance", "speaker", "emotion", *labels])
    for p in predictions:
        for i, (speaker, emotion) in enumerate(zip(p.speakers, p.emotions, strict=True)):
            writer.writerow([p.id, p.first + i, speaker, emotion, *(f"{v:.6f}" for v in p.probability[i])])
    return text.getvalue()


def stdin_lines() -> Iterable[str]:
    """Lines of stdin as they come, in UTF-8 as files are."""
    return io.TextIOWrapper(sys.stdin.buffer, "utf-8-sig", newline="")


def main() -> None:
    """Command line of the file in a bundle."""
    parser = argparse.ArgumentParser(description="Emotion of every utterance, as CSV on stdout.")
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE.csv", help="header: dialogue,speaker,FEATURES...")
    parser.add_argument("--json", action="store_true", help="JSON instead of CSV")
    parser.add_argument("--int8", action="store_true", help="the quantised model")
    parser.add_argument("--stream", action="store_true", help="answer each line of stdin at once, CSV or JSON objects")
    given = parser.parse_args()
    if bool(given.files) == given.stream or (given.stream and given.int8):
        parser.error("either FILE.csv or --stream, and --int8 with files alone")
    try:
        predictor = Predictor(Path(__file__).parent, given.int8)
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
        if given.stream:
            for answer in answers(predictor, stdin_lines(), given.json):
                print(answer, end="", flush=True)
            return
        predictions = predict_files(predictor, given.files)
        sys.stdout.write(as_json(predictions) if given.json else as_csv(predictions))
        sys.stdout.flush()
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
