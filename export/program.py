"""The program in a bundle: predicts the emotion of each utterance of a dialogue from its speech features.

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
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

try:  # before the modules that use them
    import numpy  # noqa: F401
    import onnxruntime  # noqa: F401
except ImportError as error:
    if __name__ != "__main__":
        raise
    sys.exit(f"error: predict.py needs numpy and onnxruntime ({error}): pip install numpy 'onnxruntime>=1.18'")

from export.bundle_files import BadInput
from export.distance import warning
from export.limited_session import end_stuck_process
from export.lines import DialogueFeatures, csv_lines, first_line, json_lines, read_csv, stdin_lines
from export.normalise import BY, unchanged
from export.output import json_text, one_line, to_csv, to_json
from export.predictor import Prediction, Predictor, Stream

# Dialogues that ``predict_lines`` keeps in memory, 200 to 600 kB each; the least recently used one is dropped.
MAX_STREAMS = 1000


def predict_files(
    predictor: Predictor,
    files: Iterable[Path],
    read: Callable[[Path], list[DialogueFeatures]] = read_csv,
    normalise: str | None = None,
) -> list[Prediction]:
    """Predict the dialogues of several files, in their order.

    Args:
        normalise: see ``Predictor.predict``.

    Raises:
        BadInput: names the file. Two files with a dialogue of the same name are refused: the output could not tell
            them apart.
    """
    found: list[Prediction] = []
    where: dict[str, Path] = {}
    for path in files:
        try:
            predictions = predictor.predict(read(path), normalise)
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


def notes(predictor: Predictor, predictions: Sequence[Prediction], normalise: str | None = None) -> list[str]:
    """Return a line on the dialogues that are unlike those of the training, and on those that are not normalised."""
    far = warning([(prediction.id, prediction.distance) for prediction in predictions], predictor.metadata)
    same = unchanged([prediction.speakers for prediction in predictions], normalise)
    return [text for text in (far, same) if text]


def predict_lines(
    predictor: Predictor,
    lines: Iterable[str],
    as_json: bool,
    name: str = "stdin",
    warn: Callable[[str], None] = lambda text: None,
) -> Iterator[str]:
    """Predict each utterance as soon as its line is read; yields a line of output for each.

    Lines are CSV below a header, or JSON objects. Dialogues may be interleaved: each has its own stream, up to
    ``MAX_STREAMS``; then the least recently used one is dropped and would start anew.

    Args:
        as_json: yield JSON objects instead of CSV.
        name: of the input, for messages.
        warn: called once for a dialogue as soon as its first utterances show that it is unlike those of the training.

    Raises:
        BadInput: a line is wrong; the output for the lines before it was already given. BadBundle: see ``stream``.
    """
    streams: dict[str, Stream] = {}
    warned: set[str] = set()
    predictor.stream()  # refuses the bundle of a model that is not causal, before the first line
    given = iter(lines)
    try:
        begin, first = first_line(given)
        read = json_lines if first.lstrip().startswith(("{", "[")) else csv_lines
        for count, line in enumerate(read(itertools.chain(begin, given), name) if first else ()):
            stream = streams.pop(line.dialogue, None) or predictor.stream(line.dialogue)
            streams[line.dialogue] = stream
            if len(streams) > MAX_STREAMS:
                warned.discard(next(iter(streams)))
                del streams[next(iter(streams))]
            try:
                found = stream.feed(line.features, line.speaker).utterances()
            except BadInput as error:
                raise BadInput(f"{line.where}: {error}") from error
            text = warning([(stream.id, stream.distance)], predictor.metadata)
            if text and stream.id not in warned:
                warned.add(stream.id)
                warn(text)
            yield json_text(found[0], None) + "\n" if as_json else to_csv(found, header=count == 0)
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"cannot read {name} ({error}): it must be CSV or JSON lines in UTF-8") from error


def main() -> None:
    """Run the command line of the copy in a bundle."""
    parser = argparse.ArgumentParser(description="Predict the emotion of every utterance, as CSV on stdout.")
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE.csv", help="header: dialogue,speaker,FEATURES...")
    parser.add_argument("--json", action="store_true", help="JSON instead of CSV")
    parser.add_argument("--int8", action="store_true", help="use the quantised model")
    parser.add_argument("--stream", action="store_true", help="predict each line of stdin at once, CSV or JSON objects")
    parser.add_argument("--normalise", choices=BY, help="adapt mean and scale of the features to each")
    given = parser.parse_args()
    if bool(given.files) == given.stream or (given.stream and (given.int8 or given.normalise)):
        parser.error("give either FILE.csv or --stream; --int8 and --normalise are for files only")
    if sys.stdout is None:
        sys.exit("error: stdout is closed: redirect it to a file, or into a pipe")
    try:
        with end_stuck_process(lambda text: print(f"error: {one_line(text)}", file=sys.stderr, flush=True)):
            _predict(given)
    except BrokenPipeError:  # the program that reads the output, such as head, has ended
        _discard_output()
    except (ValueError, OSError) as error:
        _discard_output()
        sys.exit(f"error: {one_line(str(error))}")
    except MemoryError:
        sys.exit("error: too little memory: predict fewer or shorter dialogues at a time")


def _predict(given: argparse.Namespace) -> None:
    predictor = Predictor(Path(__file__).parent, given.int8)
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    if given.stream:
        for line in predict_lines(predictor, stdin_lines(), given.json, warn=_note):
            print(line, end="", flush=True)
        return
    predictions = predict_files(predictor, given.files, normalise=given.normalise)
    for text in notes(predictor, predictions, given.normalise):
        _note(text)
    found = [one for prediction in predictions for one in prediction.utterances()]
    sys.stdout.write(to_json(found) if given.json else to_csv(found))
    sys.stdout.flush()


def _note(text: str) -> None:
    print(f"note: {one_line(text)}", file=sys.stderr, flush=True)


def _discard_output() -> None:
    """Let what is left in the buffer of stdout not fail at the end of the program, where it would be a traceback."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
