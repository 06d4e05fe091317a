"""Emotions of utterances from speech features. Needs numpy and onnxruntime, nothing else.

Every exported bundle holds this file as ``predict.py``, where it works alone: ``python predict.py FILE.csv``. Hence all
of it is one module.
"""

import argparse
import csv
import hashlib
import io
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

MODEL, INT8, CHECKSUMS = "model.onnx", "model.int8.onnx", "checksums.json"
# What the file calls itself in its metadata.
FORMAT = "bridging-modalities 1"
# Every utterance attends to all others of its dialogue, so memory grows with the square of the length: 2,000
# utterances need some 300 MB.
LONGEST = 2000
# Utterances, and pairs of utterances, that are computed together at most.
ROWS, PAIRS = 4096, LONGEST**2


class BadBundle(ValueError):
    """A bundle is not as it was written, or none."""


class BadInput(ValueError):
    """Features or speakers that the model cannot take."""


@dataclass(frozen=True)
class Spoken:
    """A dialogue to be predicted: features (n, width) in order of time, and who speaks each utterance."""

    id: str
    speakers: Sequence[str]
    features: NDArray[np.float32]


@dataclass(frozen=True)
class Prediction:
    """What the model says of a dialogue.

    Shapes:
        probability: (n, classes), in the order of ``labels``.
    """

    id: str
    speakers: Sequence[str]
    labels: Sequence[str]
    probability: NDArray[np.float32]

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
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        self.session = open_session(path, options, providers)
        self.about = metadata(self.session, path)
        self.labels: list[str] = self.about["labels"]
        self.speakers: list[str] = self.about["speakers"]
        self.width: int = self.about["widths"]["audio"]
        # Eight bits are scaled by the largest number of a batch: alone, a dialogue depends on nobody else.
        self._alone = int8

    def __call__(self, features: NDArray[np.floating[Any]], speakers: Sequence[str]) -> Prediction:
        """What the model says of one dialogue: features (n, width), and a speaker's name for each utterance."""
        return self.predict([Spoken("dialogue", speakers, np.asarray(features))])[0]

    def predict(self, dialogues: Iterable[Spoken]) -> list[Prediction]:
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

    def _checked(self, dialogue: Spoken) -> NDArray[np.int64]:
        """The speakers' numbers of a dialogue that the model can take."""
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
            raise BadInput(f"{where}, utterance {bad[0][0] + 1}, feature {bad[0][1] + 1} is no finite number")
        for i, name in enumerate(dialogue.speakers):
            if name not in self.speakers:
                known = ", ".join(self.speakers)
                raise BadInput(f"{where}, utterance {i + 1}: speaker {str(name)[:40]!r} is none of {known}")
        return np.array([self.speakers.index(name) for name in dialogue.speakers], np.int64)


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
    if INT8 not in listed and (folder / INT8).exists():
        raise BadBundle(f"{folder} is not as it was exported: {CHECKSUMS} does not list {INT8}; export it again")


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


def metadata(session: onnxruntime.InferenceSession, path: Path) -> dict[str, Any]:
    """What an exported file says of itself.

    Raises:
        BadBundle: it was not exported by this package.
    """
    found = session.get_modelmeta().custom_metadata_map
    try:
        if found["format"] != FORMAT:
            raise KeyError(f"format {found['format']!r}")
        about = {key: value if key == "format" else json.loads(value) for key, value in found.items()}
        _demand_shapes(session, about)
    except (KeyError, ValueError, TypeError, RecursionError) as error:
        raise BadBundle(f"{path} was not exported by this version of `replicate export onnx` ({error})") from error
    return about


def _demand_shapes(session: onnxruntime.InferenceSession, about: dict[str, Any]) -> None:
    """Refuse a file whose inputs and output are not what it says of itself."""
    for name in ("labels", "speakers"):
        if not (isinstance(about[name], list) and about[name] and all(isinstance(x, str) for x in about[name])):
            raise ValueError(f"its {name} are no names")
    shapes = {value.name: len(value.shape) for value in session.get_inputs()}
    outputs = session.get_outputs()
    if shapes != {"audio": 3, "speaker": 2, "length": 1} or [value.name for value in outputs] != ["probability"]:
        raise ValueError(f"it takes {', '.join(shapes)} and gives {', '.join(value.name for value in outputs)}")
    ends = session.get_inputs()[0].shape[-1], outputs[0].shape[-1]
    if ends != (about["widths"]["audio"], len(about["labels"])):
        raise ValueError(f"it takes {ends[0]} features to {ends[1]} classes, and says otherwise")


def read_csv(path: Path) -> list[Spoken]:
    """Dialogues of a CSV file: a header, then a row per utterance: dialogue, speaker, features.

    Raises:
        BadInput: naming the line that is none.
    """
    speakers: dict[str, list[str]] = {}
    rows: dict[str, list[NDArray[np.float32]]] = {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = csv.reader(file)
            header = next(lines, [])
            if [name.strip().lower() for name in header[:2]] != ["dialogue", "speaker"] or len(header) < 3:
                raise BadInput(f"{path}, line 1: the header must be dialogue, speaker, then a name for each feature")
            twice = sorted(name for name, count in Counter(header[2:]).items() if count > 1 and name)
            if twice:
                raise BadInput(f"{path}, line 1: column {twice[0]!r} is there twice")
            for cells in lines:
                if not cells:
                    continue
                where = f"{path}, line {lines.line_num}"
                if len(cells) != len(header):
                    raise BadInput(f"{where}: {len(cells)} cells where the header has {len(header)}")
                dialogue, speaker = cells[0].strip(), cells[1].strip()
                speakers.setdefault(dialogue, []).append(speaker)
                rows.setdefault(dialogue, []).append(_numbers(cells[2:], where))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"cannot read {path} ({error})") from error
    if not rows:
        raise BadInput(f"{path} holds no utterance below its header")
    return [Spoken(dialogue, speakers[dialogue], np.stack(rows[dialogue])) for dialogue in rows]


def _numbers(cells: list[str], where: str) -> NDArray[np.float32]:
    try:
        if any("_" in cell for cell in cells):  # Python reads 1_0 as ten
            raise ValueError(f"could not convert {next(cell for cell in cells if '_' in cell)!r}")
        with np.errstate(over="ignore"):  # what does not fit becomes infinite, and is refused as such
            return np.array([float(cell) for cell in cells], np.float32)
    except ValueError as error:
        raise BadInput(f"{where}: {error}") from error


def predict_files(
    predictor: Predictor, files: Iterable[Path], read: Callable[[Path], list[Spoken]] = read_csv
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


def as_json(predictions: Sequence[Prediction]) -> str:
    """Predictions as JSON: a list of dialogues with their utterances."""
    content = [
        {
            "dialogue": p.id,
            "utterances": [
                {
                    "speaker": speaker,
                    "emotion": emotion,
                    "probability": {label: round(float(v), 6) for label, v in zip(p.labels, row, strict=True)},
                }
                for speaker, emotion, row in zip(p.speakers, p.emotions, p.probability, strict=True)
            ],
        }
        for p in predictions
    ]
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def as_csv(predictions: Sequence[Prediction]) -> str:
    """Predictions as CSV: a row per utterance, a column of probabilities per emotion."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["dialogue", "utterance", "speaker", "emotion", *(predictions[0].labels if predictions else ())])
    for p in predictions:
        for i, (speaker, emotion) in enumerate(zip(p.speakers, p.emotions, strict=True)):
            writer.writerow([p.id, i + 1, speaker, emotion, *(f"{v:.6f}" for v in p.probability[i])])
    return text.getvalue()


def main() -> None:
    """Command line of the file in a bundle."""
    parser = argparse.ArgumentParser(description="Emotion of every utterance, as CSV on stdout.")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE.csv", help="header: dialogue,speaker,FEATURES...")
    parser.add_argument("--json", action="store_true", help="JSON instead of CSV")
    parser.add_argument("--int8", action="store_true", help="the quantised model")
    given = parser.parse_args()
    try:
        predictions = predict_files(Predictor(Path(__file__).parent, given.int8), given.files)
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
        sys.stdout.write(as_json(predictions) if given.json else as_csv(predictions))
        sys.stdout.flush()
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
