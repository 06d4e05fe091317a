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


# export.bundle_files

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any


# export.graph_check

import itertools
from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

# More nodes than any exported graph has.
MAX_NODES = 5000
# Fields of Protocol Buffers in all messages of a file; exported files have 2,000.
MAX_FIELDS = 200_000
# Axes of a constant.
MAX_AXES = 8
# Everything that the exporter and the quantiser write, or wrote since the metadata are of this format. Without an
# operator that holds a graph of its own, such as If or Loop, every node runs once.
_OPERATORS = """
    Abs Add And Cast Clip Concat Conv Div DynamicQuantizeLinear Equal Expand Floor Gather Gemm GreaterOrEqual
    LayerNormalization LeakyRelu Less LessOrEqual Log MatMul MatMulInteger Max Min Mul Or Pad Range ReduceMax
    ReduceProd ReduceSum Relu Reshape Shape Sigmoid Slice Softmax Split Sqrt Squeeze Sub Transpose Unsqueeze Where
    com.microsoft.Attention com.microsoft.MultiHeadAttention com.microsoft.SkipLayerNormalization
"""
OPERATORS = frozenset(_OPERATORS.split())
_NAMES = frozenset(name.encode() for name in OPERATORS)
# Bytes of a value by the type of a constant in an ONNX file: float32, uint8, int8, int32, int64, bool, float16.
_SIZES = {1: 4, 2: 1, 3: 1, 6: 4, 7: 8, 9: 1, 10: 2}
# Numbers of the fields that exported files have, by message of the ONNX format.
_KNOWN = {
    "model": {1, 2, 3, 4, 5, 6, 7, 8, 14},
    "graph": {1, 2, 5, 10, 11, 12, 13, 16},
    "node": {1, 2, 3, 4, 5, 6, 7, 9},
    "attribute": {1, 2, 3, 4, 7, 8, 9, 13, 20},
    "constant": {1, 2, 4, 5, 7, 8, 9, 12, 14},
}
# Of a node: its inputs and outputs.
_ENDS = (1, 2)
# What the fields hold that are refused and that programs other than ours write.
_REFUSED = {
    "model": {20: "a graph for training", 25: "functions"},
    "graph": {15: "sparse constants"},
    "attribute": {5: "a constant", 6: "a graph (control flow)", 10: "constants", 11: "graphs (control flow)"},
    "constant": {13: "values in another file"},
}
# A field's value: a number, or where its bytes begin and end.
_Value = int | tuple[int, int]


def check_graph(content: bytes) -> None:
    """Check that an ONNX file has nothing that our exporter does not write, without reserving what it only claims.

    Raises:
        ValueError: it has another operator, a graph in a graph, or a constant whose values are not in the file.
    """
    try:
        _Graph(content).check()
    except IndexError as error:
        raise ValueError("it is no ONNX file, or is cut short") from error


class _Graph:
    """The content of an ONNX file, and how many fields it may still have: many tiny ones take long."""

    def __init__(self, content: bytes) -> None:
        self.content, self.left = content, MAX_FIELDS

    def check(self) -> None:
        graphs = self._fields((0, len(self.content)), "model", (7,))
        nodes = 0
        for _, graph in graphs:
            for number, value in self._fields(graph, "graph", (1, 5)):
                if number == 1:
                    nodes += 1
                    self._check_node(value)
                else:
                    self._check_constant(value)
        if len(graphs) != 1 or not 0 < nodes <= MAX_NODES:
            raise ValueError(f"it has {len(graphs)} graphs and {nodes} nodes")

    def _check_node(self, node: _Value) -> None:
        domain, operator, attributes = b"", b"", []
        for number, value in self._fields(node, "node", (4, 5, 7)):
            if number == 4:
                operator = self._name(value)
            elif number == 7:
                domain = self._name(value)
            else:
                attributes.append(value)
        name = domain + b"." + operator if domain else operator
        if name not in _NAMES:
            raise ValueError(f"its graph has the operator {shown(name)}, which no exported model has")
        for attribute in attributes:
            self._fields(attribute, "attribute", ())

    def _check_constant(self, tensor: _Value) -> None:
        dims: list[int] = []
        size, raw, typed = 0, None, 0
        for number, value in self._fields(tensor, "constant", (1, 2, 4, 5, 7, 9, 14)):
            if number == 1:
                dims += self._integers(value)
            elif number == 2 and isinstance(value, int):
                size = _SIZES.get(value, 0)
            elif number == 9:
                raw = _length(value)
            elif number in (4, 5, 7):
                typed += 1 if isinstance(value, int) else _length(value)
            elif number == 14 and value:
                raise ValueError("it has a constant in another file, where a bundle has all of them inside")
        count = 1
        for dim in dims:
            count *= dim
            if max(dim, count) > _length(tensor):
                raise ValueError("it has a constant that claims more values than the file holds")
        if not size:
            raise ValueError("it has a constant of a type that no exported model has")
        if (raw is None and count > typed) or (raw is not None and count * size != raw):
            raise ValueError("it has a constant that claims another number of values than the file holds")

    def _fields(self, message: _Value, what: str, wanted: Collection[int]) -> list[tuple[int, _Value]]:
        """Return number and value of each field of a message in Protocol Buffers whose number is wanted.

        Raises:
            ValueError: it has a field that exported files do not have, or too many. IndexError: it is cut short.
        """
        found: list[tuple[int, _Value]] = []
        content, known = self.content, _KNOWN[what]
        at, end = _place(message)
        for used in range(self.left + 1):
            if at >= end:
                self.left -= used
                return found
            key = content[at]
            at += 1
            if key > 127:
                key, at = _varint(content, at - 1, end)
            kind, number = key & 7, key >> 3
            if number not in known:
                other = _REFUSED.get(what, {}).get(number, "content")
                raise ValueError(f"its {what} has {other}, which no exported model has")
            if kind == 2:
                size = content[at]
                at += 1
                if size > 127:
                    size, at = _varint(content, at - 1, end)
                begin, at = at, at + size
                if at > end:
                    raise IndexError
                if at == begin and what == "node" and number in _ENDS:  # onnxruntime does not expect it everywhere
                    raise ValueError("an input or output in its graph has no name, as in no exported model")
                if number in wanted:
                    found.append((number, (begin, at)))
            elif kind == 0:
                value = content[at]
                at += 1
                if value > 127 or at > end:
                    value, at = _varint(content, at - 1, end)
                if number in wanted:
                    found.append((number, value))
            elif kind in (1, 5) and number not in wanted:
                at += 8 if kind == 1 else 4
                if at > end:
                    raise IndexError
            else:
                raise IndexError
        raise ValueError(f"it has more than {MAX_FIELDS:,} entries")

    def _integers(self, value: _Value) -> list[int]:
        """Return the integers of a repeated field, which may be packed."""
        if isinstance(value, int):
            return [value]
        found: list[int] = []
        at, end = value
        while at < end:
            number, at = _varint(self.content, at, end)
            found.append(number)
            if len(found) > MAX_AXES:
                raise ValueError(f"it has a constant of more than {MAX_AXES} axes")
        return found

    def _name(self, value: _Value) -> bytes:
        """Return a text, of a long one the beginning: no name is as long."""
        begin, end = _place(value)
        return self.content[begin : min(end, begin + 200)]


def _place(value: _Value) -> tuple[int, int]:
    if isinstance(value, int):
        raise IndexError
    return value


def _length(value: _Value) -> int:
    begin, end = _place(value)
    return end - begin


def _varint(content: bytes, at: int, end: int) -> tuple[int, int]:
    """Return the integer of variable length at a position, and the position after it."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= end:
            break
        byte = content[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
    raise IndexError


def brief(error: BaseException) -> str:
    """Return an error's text for a message: bounded, in one line."""
    if isinstance(error, RecursionError):
        return "nested too deeply"
    return " ".join(str(error).split())[:200]


def shown(value: object) -> str:
    """Return a value from a file for a message: in ASCII, bounded, nested values by their type alone."""
    if isinstance(value, (bytes, memoryview)):
        value = bytes(value[:40]).decode("ascii", "replace")
    if isinstance(value, str):
        return ascii(value[:40])
    if type(value) in (int, float, bool) and abs(value) < 1e15:  # type: ignore[arg-type]
        return repr(value)
    return f"a {type(value).__name__}"


def listed(names: Collection[str], most: int = 10) -> str:
    """Return names for a message: the first ones, bounded, and how many there are."""
    first = ", ".join(name if len(name) <= 40 else f"{name[:40]}..." for name in itertools.islice(names, most))
    return first if len(names) <= most else f"{first}, ... ({len(names):,} in all)"


def check_probabilities(found: NDArray[np.float32], shape: tuple[int, ...]) -> None:
    """Check outputs of a model: shape (..., classes), all finite, none negative, and those of a row sum to 1.

    Raises:
        ValueError: they are no probabilities; says why.
    """
    if found.shape != shape or found.dtype != np.float32:
        raise ValueError(f"its output has the shape {found.shape}, not {shape}, or is of type {found.dtype}")
    if not np.isfinite(found).all():
        raise ValueError("it gives numbers that are not finite")
    if found.size and float(found.min()) < 0:
        raise ValueError(f"it gives a probability of {float(found.min()):.3g}, below 0")
    sums = found.sum(-1, dtype=np.float64)
    if sums.size and float(np.abs(sums - 1).max()) > 1e-3:
        wrong = float(sums.flat[np.abs(sums - 1).argmax()])
        raise ValueError(f"its probabilities of an utterance sum to {wrong:.3g} instead of 1")

MODEL, INT8, STREAM, CHECKSUMS = "model.onnx", "model.int8.onnx", "model.stream.onnx", "checksums.json"
# From waveforms, for models of acoustic functionals.
WAV, WAV_STREAM = "model.wav.onnx", "model.wav.stream.onnx"
# In bytes; no exported bundle comes near them.
MAX_CHECKSUMS, MAX_MODEL, MAX_BUNDLE = 1 << 20, 1 << 26, 1 << 29
# Bytes of a file that are in memory while it is hashed.
PIECE = 1 << 18


class BadBundle(ValueError):
    """The folder is not an exported bundle, or its files were changed after the export."""


class BadInput(ValueError):
    """The model cannot be run on these features or speakers."""


def verify(folder: Path) -> dict[str, str]:
    """Compare every file of a bundle with its checksum in ``checksums.json``; returns the checksum of each file.

    Raises:
        BadBundle: a file was changed or is missing (all are named), or the folder is not a bundle.
    """
    try:
        sums = _checksums(folder)
        buffer = memoryview(bytearray(PIECE))
        found = {name: _sha256(path, buffer) for name, path in _inside(folder, sums).items()}
    except (OSError, ValueError, RecursionError) as error:
        raise BadBundle(f"{folder} is not a bundle of `replicate export onnx` ({brief(error)})") from error
    wrong = [name for name, digest in sums.items() if found.get(name) != digest]
    if wrong:
        raise BadBundle(f"{folder} was changed after the export ({listed(wrong)} changed or missing): export again")
    if MODEL not in sums:
        raise BadBundle(f"{folder} is not a bundle of `replicate export onnx`: {CHECKSUMS} does not list {MODEL}")
    for name in (INT8, STREAM, WAV, WAV_STREAM):
        if name not in sums and (folder / name).exists():
            raise BadBundle(f"{folder} was changed after the export ({CHECKSUMS} does not list {name}): export again")
    return sums


def read_limited(path: Path, most: int) -> bytes:
    """Read a file whose size is not known to be small.

    Raises:
        ValueError: it has more than ``most`` bytes, or is no file, such as a pipe. OSError: it cannot be read.
    """
    if not path.is_file():
        raise ValueError(f"it has no file {path.name}")
    size = path.stat().st_size
    with path.open("rb") as file:
        content = file.read(size + 1) if size <= most else b""
    if len(content) != size:
        raise ValueError(f"{path.name} has more than {most >> 20} MiB, or is being written")
    return content


def _checksums(folder: Path) -> dict[str, str]:
    """Read ``checksums.json``, whose own hash nobody knows: its size is limited."""
    path = folder / CHECKSUMS
    if path.is_symlink():
        raise ValueError(f"{CHECKSUMS} is a link")
    sums = parse_json(read_limited(path, MAX_CHECKSUMS).decode("utf-8"), _once)
    if not isinstance(sums, dict) or not sums:
        raise ValueError(f"{CHECKSUMS} is no list of files")
    for name, digest in sums.items():
        if (
            not name.isprintable()
            or set(name) & set("\\:")
            or {"", ".", ".."} & set(name.split("/"))
            or len(name) > 500
        ):
            raise ValueError(f"{CHECKSUMS} names {shown(name)}, which is no file of a bundle")
        if not (isinstance(digest, str) and re.fullmatch("[0-9a-f]{64}", digest)):
            raise ValueError(f"{CHECKSUMS} has {shown(digest)} for {shown(name)}, which is no SHA-256")
    return sums


def _inside(folder: Path, names: Iterable[str]) -> dict[str, Path]:
    """Return the paths of the listed files that are there, in the folder and not behind a link out of it."""
    root, found, total = os.path.realpath(folder), {}, 0
    inside = f"{root.rstrip(os.sep)}{os.sep}"
    for name in names:
        real = os.path.realpath(inside + name)  # three times as fast as Path.resolve, which is felt with many files
        path = Path(real)
        if real.startswith(inside) and path.is_file():
            found[name] = path
            total += path.stat().st_size
    if total > MAX_BUNDLE:
        raise ValueError(f"its files have more than {MAX_BUNDLE >> 20} MiB")
    return found


def _sha256(path: Path, buffer: memoryview) -> str:
    digest = hashlib.sha256()
    left = MAX_BUNDLE  # the file may grow while it is read
    with path.open("rb", buffering=0) as file:
        while (size := file.readinto(buffer)) and left > 0:
            digest.update(buffer[:size])
            left -= size
    return digest.hexdigest()


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("it names a file twice")
    return found


def parse_json(text: str, pairs: Callable[[list[tuple[str, Any]]], Any] | None = None) -> Any:
    """Parse JSON without NaN and infinity.

    Args:
        pairs: makes an object of its keys and values, instead of ``dict``.

    Raises:
        ValueError, RecursionError: it is none.
    """

    def refuse(name: str) -> None:
        raise ValueError(f"{name} is no number")

    return json.loads(text, parse_constant=refuse, object_pairs_hook=pairs)

# export.distance

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Deviations above which a feature is called beyond the range.
BEYOND = 4
# Deviations above which a distance counts no more: one broken feature must not decide alone.
MOST = 8.0
# Axes are stored as whole numbers of this fraction.
FRACTION = 1e-3
# Utterances of a recording that decide for a stream.
FIRST = 8
# Dialogues that a warning names.
NAMED = 3


@dataclass(frozen=True)
class Distance:
    """How far the utterances of a recording lie from those of the training.

    Attributes:
        utterances: how many were measured.
        features: how many there are; beyond: how many of them lie beyond ``BEYOND`` deviations.
        deviations: root mean square of the features' distances from what the other features predict.
        usual: the limit of ``deviations``, which hardly a recording of the training with as many utterances exceeds.
        outside: how many features lie beyond ``BEYOND`` deviations of their own; usual_outside: the limit of that.
        far: whether the recording lies outside the range, so that predictions are not to be trusted.
        farthest: names of the three features that lie farthest.

    Shapes:
        medians: both measures of the median utterance, 2 x (width,).
    """

    utterances: int
    features: int
    beyond: int
    deviations: float
    usual: float
    outside: int
    usual_outside: float
    far: bool
    farthest: tuple[str, ...]
    medians: tuple[NDArray[np.float64], NDArray[np.float64]] = field(repr=False, compare=False)


class TrainingRange:
    """The range of the features that a model was trained on, as its metadata describe it.

    Args:
        content: entry ``range`` of the metadata.
        names: of the features, for messages; empty if they are not known.
    """

    def __init__(self, content: dict[str, Any], names: Sequence[str] = ()) -> None:
        self._centre, self._scale, self._residual = (
            np.array(content[key], np.float64) for key in ("centre", "scale", "residual")
        )
        width = len(self._centre)
        self._axes = FRACTION * np.array(content["axes"], np.float64).reshape(-1, width)
        self._limits = sorted((int(size), *limits) for size, limits in content["limits"].items())
        self._names = names if len(names) == width else [f"feature {i}" for i in range(1, width + 1)]

    def measures(self, features: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return both measures of every utterance: deviations from the median, and from what other features predict.

        Shapes:
            features: (utterances, width), not standardised. Returns two arrays of the same shape.
        """
        return measures(features, self._centre, self._scale, self._axes, self._residual)

    def distance(self, features: NDArray[Any]) -> Distance:
        """Measure a recording of at least one utterance. Shapes: features: (utterances, width), not standardised."""
        return self._judged(len(features), *summary(*self.measures(features)))

    def pooled(self, recordings: Sequence[Distance]) -> Distance:
        """Measure several recordings as one, such as files of a sentence each, in which each counts alike."""
        outer, left = (np.stack(medians) for medians in zip(*(one.medians for one in recordings), strict=True))
        return self._judged(sum(one.utterances for one in recordings), *summary(outer, left))

    def _judged(self, utterances: int, outer: NDArray[np.float64], left: NDArray[np.float64]) -> Distance:
        both = np.maximum(np.abs(outer), np.abs(left))
        deviations, outside = statistics(outer, left)
        usual, count = next((rest for size, *rest in reversed(self._limits) if size <= utterances), self._limits[0][1:])
        order = np.argsort(-both, kind="stable")[:3]
        return Distance(
            utterances,
            len(both),
            int((both > BEYOND).sum()),
            deviations,
            float(usual),
            outside,
            float(count),
            bool(deviations > usual or outside > count),
            tuple(self._names[i] for i in order),
            (outer, left),
        )


def training_range(metadata: dict[str, Any]) -> TrainingRange | None:
    """Return the range that a model's metadata describe; None for files of earlier versions and small trainings."""
    columns = (metadata["recipe"] or {}).get("columns", ())
    return TrainingRange(metadata["range"], columns) if metadata["range"] else None


def measures(
    features: NDArray[Any],
    centre: NDArray[np.float64],
    scale: NDArray[np.float64],
    axes: NDArray[np.float64],
    residual: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return both measures of every utterance, see ``TrainingRange.measures``."""
    outer = np.clip((np.asarray(features, np.float64) - centre) / scale, -MOST, MOST)
    return outer, np.clip((outer - outer @ axes.T @ axes) / residual, -MOST, MOST)


def summary(outer: NDArray[np.float64], left: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return both measures of a recording's median utterance, (width,), from those of its utterances."""
    return _median(outer), _median(left)


def _median(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the median of each column; numpy's own takes several times as long for hundreds of rows."""
    ordered, middle = np.sort(values.T, axis=1), len(values) // 2
    upper = ordered[:, middle]
    return upper if len(values) % 2 else (ordered[:, middle - 1] + upper) / 2


def statistics(outer: NDArray[np.float64], left: NDArray[np.float64]) -> tuple[float, int]:
    """Return what decides whether a recording is far: ``Distance.deviations``, and features beyond their own range."""
    return float(np.sqrt((left**2).mean())), int((np.abs(outer) > BEYOND).sum())


def warning(found: Sequence[tuple[str, Distance | None]], metadata: dict[str, Any]) -> str | None:
    """Return one line on the dialogues that lie far outside the training, or None if there is none.

    Those that are not far alone are also measured as one: a single utterance tells little, and a folder of them much.

    Args:
        found: name and distance of each dialogue; None where it is not known.
    """
    measured, size = [(name, each) for name, each in found if each is not None], training_range(metadata)
    if not measured or size is None:
        return None
    far = sorted((pair for pair in measured if pair[1].far), key=lambda pair: -pair[1].deviations / pair[1].usual)
    others = [each for _, each in measured if not each.far]
    if others and (rest := size.pooled(others)).far:
        whole = size.pooled([each for _, each in measured])
        worst, count = (whole, len(measured)) if whole.far else (rest, len(others))
        which, most = f"{count} dialogues, measured as one, are", ""
    elif not far:
        return None
    elif len(measured) == 1:
        which, most, worst = f"dialogue {far[0][0][:100]} is", "", far[0][1]
    else:
        names = [name[:100] for name, _ in far]
        listed = ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
        which, most = f"{len(far)} of {len(measured)} dialogues ({listed}) are", f"dialogue {names[0]} with "
        worst = far[0][1]
    return (
        f"{which} unlike what {metadata['arm'][:100]} was trained on ({metadata['corpus']['name'][:100]}): "
        f"{most}{worst.beyond} of {worst.features} features beyond {BEYOND} deviations, {_excess(worst)}: "
        "expect wrong emotions"
    )


def _excess(one: Distance) -> str:
    """Return which limit a distance is above, with as many digits as tell the two."""
    if one.deviations <= one.usual:
        return f"{one.outside} of them of their own, above the limit of {one.usual_outside:g}"
    value, limit = next(
        (pair for pair in (_rounded(one, digits) for digits in range(2, 17)) if pair[0] != pair[1]), _rounded(one, 17)
    )
    return f"root mean square {value}, above the limit of {limit}"


def _rounded(one: Distance, digits: int) -> tuple[str, str]:
    return f"{one.deviations:.{digits}f}", f"{one.usual:.{digits}f}"

# export.limited_session

import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import onnxruntime
from numpy.typing import NDArray


# The lowest version that opens what ``export.onnx.builder`` writes: the first with version 10 of ONNX's file format.
ONNXRUNTIME = "1.18"
# What a model may take on the CPU: bytes for all models of the process, and seconds for a batch. Exported models take a
# third of the memory and a thousandth of the time; a file from somebody else could ask for any amount.
MAX_MEMORY, MAX_SECONDS = 800_000_000, 5
# Seconds after which a program ends when a call does not end although it should.
GRACE = 5
# In utterances; the time of a batch grows at most with the square of their number.
ORDINARY_BATCH = 384
# Seconds of the processor for an utterance, and for each byte of the file: ten times what exported models take one by
# one. Above MAX_SECONDS for all calls, a model may take no more: it could also be slow often instead of once.
PER_UTTERANCE, PER_BYTE = 1e-3, 2e-10
# Level of onnxruntime's log that leaves out errors: they are raised, too.
SILENT = 4
CPU = "CPUExecutionProvider"
_MORE = "far more than an exported model"
# Optimisers of onnxruntime that exported files do not need. The first would fold constants in memory without a limit
# (the exporter has folded them); what the second makes of transposed matrices divides by zero where one is empty, which
# ends the process.
_DISABLED = ["ConstantFolding", "MatmulTransposeFusion"]


class LimitedSession:
    """An ONNX file that is opened if it has nothing but what our exporter writes, and that may not take any amount.

    Args:
        limited: see ``Predictor``.

    Raises:
        BadBundle: it is no file of our exporter. BadInput: a provider is not available.
    """

    def __init__(self, path: Path, threads: int = 1, providers: Sequence[str] = (CPU,), limited: bool = True) -> None:
        here = onnxruntime.__version__
        if [int(number) for number in here.split(".")[:2]] < [int(number) for number in ONNXRUNTIME.split(".")]:
            raise BadBundle(f"onnxruntime {here} is too old for {path}: pip install 'onnxruntime>={ONNXRUNTIME}'")
        self.path = path
        self._limited = limited and list(providers) == [CPU]
        self._seconds, self._allowed = 0.0, float(MAX_SECONDS)
        self._per_utterance = PER_UTTERANCE + PER_BYTE * (path.stat().st_size if path.is_file() else 0)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = SILENT
        # The next level arranges convolutions, which no exported graph has, and takes longer to open.
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
        if self._limited:
            limit_memory()
            options.add_session_config_entry("session.use_env_allocators", "1")
        self.session = open_session(path, options, providers)

    def run(self, inputs: dict[str, NDArray[Any]], utterances: int = 1) -> list[NDArray[Any]]:
        """Return the outputs.

        Args:
            utterances: size of the batch, padding included.

        Raises:
            BadBundle: onnxruntime fails, or needs too much memory or time.
        """
        self._check_time()
        options = onnxruntime.RunOptions()
        options.log_severity_level = SILENT
        size = utterances / ORDINARY_BATCH
        seconds = MAX_SECONDS * max(1, size) ** 2
        self._allowed += self._per_utterance * utterances * max(1, size)
        if self._limited:
            _watch.start(options, seconds, self.path)
        before = time.thread_time()
        try:
            found = self.session.run(None, inputs, options)
        except Exception as error:  # onnxruntime's exceptions have no common base
            if options.terminate:
                raise self._cannot_run(f"it takes more than {seconds:.0f} seconds, {_MORE}") from error
            if "Available memory" in str(error):
                most = f"{limit_memory() / 1e6:.0f} MB"
                raise self._cannot_run(f"it needs more than {most}: split dialogues where topics change") from error
            raise self._cannot_run(brief(error)) from error
        finally:
            _watch.end(options)
            self._seconds += time.thread_time() - before
        self._check_time()
        return found

    def _check_time(self) -> None:
        if self._limited and self._seconds > self._allowed:
            raise self._cannot_run(f"it takes more than {self._allowed:.0f} seconds of the processor, {_MORE}")

    def _cannot_run(self, reason: str) -> BadBundle:
        return _cannot_run(self.path, reason)


def _cannot_run(path: Path, reason: str) -> BadBundle:
    return BadBundle(f"onnxruntime cannot run {path}: {reason}; if that does not help, export again")


@contextmanager
def end_stuck_process(tell: Callable[[str], object], status: int = 1) -> Iterator[None]:
    """End this process with a status if a call does not end when it should; for programs, not for servers.

    onnxruntime ends a call between two operators, and a single product of matrices may take minutes.

    Args:
        tell: called with the message, in another thread.
    """
    _watch.stuck = tell, status
    try:
        yield
    finally:
        _watch.stuck = None


class _Watch:
    """End calls that take too long: one thread for all calls, because a thread for each takes longer than a call.

    The thread ends a second after the last call, and the next call starts another.
    """

    def __init__(self) -> None:
        self._calls: dict[int, tuple[float, onnxruntime.RunOptions, Path]] = {}
        self.stuck: tuple[Callable[[str], object], int] | None = None
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def start(self, options: "onnxruntime.RunOptions", seconds: float, path: Path) -> None:
        """End the call that has these options, if it still runs after so many seconds."""
        with self._lock:
            self._calls[id(options)] = time.monotonic() + seconds, options, path
            if self._thread is None or not self._thread.is_alive():  # none is alive in a process that was forked
                self._thread = threading.Thread(target=self._look, daemon=True)
                self._thread.start()

    def end(self, options: "onnxruntime.RunOptions") -> None:
        """Forget a call."""
        with self._lock:
            self._calls.pop(id(options), None)

    def _look(self) -> None:
        last = time.monotonic()
        while True:
            time.sleep(0.1)
            now = time.monotonic()
            with self._lock:
                for deadline, options, path in self._calls.values():
                    if now > deadline:
                        options.terminate = True
                    if now > deadline + GRACE and self.stuck:
                        tell, status = self.stuck
                        tell(str(_cannot_run(path, f"one of its operators takes too long, {_MORE}")))
                        os._exit(status)
                last = now if self._calls else last
                if now - last > 1:
                    self._thread = None
                    return


_watch = _Watch()


_memory: list[int] = []


def limit_memory(most: int = MAX_MEMORY) -> int:
    """Give onnxruntime one allocator for all models of this process that ask for it, and return its limit in bytes.

    Only the first call can set the limit.
    """
    if _memory:
        return _memory[0]
    _memory.append(most)
    info = onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    )
    try:
        onnxruntime.create_and_register_allocator(info, onnxruntime.OrtArenaCfg({"max_mem": most}))
    except Exception as error:  # onnxruntime's exceptions have no common base
        if "already" not in str(error):  # the program that uses this one has its own, which then decides
            raise
    return most


def open_session(
    path: Path, options: onnxruntime.SessionOptions, providers: Sequence[str]
) -> onnxruntime.InferenceSession:
    """Open an ONNX file on the given providers, without onnxruntime's silent fallback to the CPU.

    Raises:
        BadBundle: the file has what no exported file has, or onnxruntime cannot load it. BadInput: a provider is not
            available on this machine.
    """
    missing = set(providers) - set(onnxruntime.get_available_providers())
    if missing:
        here = ", ".join(onnxruntime.get_available_providers())
        raise BadInput(f"onnxruntime has no {', '.join(sorted(missing))} on this machine, only {here}")
    try:
        before = _version(path)
        check_graph(read_limited(path, MAX_MODEL))
    except (OSError, ValueError) as error:
        raise BadBundle(f"{path} is no model of `replicate export onnx`: {error}; export again") from error
    try:
        session = onnxruntime.InferenceSession(path, options, providers=list(providers), disabled_optimizers=_DISABLED)
    except Exception as error:  # onnxruntime's exceptions have no common base
        reason = " ".join(str(error).split())
        if re.search(r"max supported IR version|opset \d+ is under development|Opset \d+ is under development", reason):
            here = f"onnxruntime {onnxruntime.__version__}"
            raise BadBundle(
                f"{here} is too old for {path} ({reason[-120:]}): pip install --upgrade onnxruntime"
            ) from error
        raise BadBundle(f"onnxruntime cannot open {path}: {brief(error)}; export again") from error
    if _version(path) != before:
        raise BadBundle(f"{path} was changed while it was opened: try again")
    if session.get_providers()[0] != providers[0]:
        raise BadInput(f"onnxruntime fell back from {providers[0]} to {session.get_providers()[0]}: check its drivers")
    return session


def _version(path: Path) -> tuple[int, ...]:
    """Return what changes with a file's content: onnxruntime reads the file itself, in less memory than from bytes."""
    about = path.stat()
    return about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns

# export.lines

import csv
import io
import json
import re
import sys
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray


# Characters of a line of input. Without a limit, an input without line ends would be read into memory at once.
LONGEST_LINE = 4_000_000
# What Python's reader calls the faults that users can mend, and what they are.
_FAULTS = {
    "unexpected end of data": "a double quote that opens a field is never closed: close it, or remove it",
    "field larger than": "a field is longer than 131,072 characters: look for a double quote that is never closed",
    "expected after": "text follows the double quote that closes a field: write a quote within a field twice",
}
_NUMBER = re.compile(r"[+-]?((\d+\.?\d*|\.\d+)(e[+-]?\d+)?|nan|inf|infinity)", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True)
class DialogueFeatures:
    """The input for one dialogue: speech features and speakers of its utterances, in order of time.

    Shapes:
        features: (utterances, width), as the extractor returns them (not standardised).

    Attributes:
        voices: who speaks, where ``speakers`` gives several people the name of one speaker that the model knows.
    """

    id: str
    speakers: Sequence[str]
    features: NDArray[np.float32]
    voices: Sequence[str] = ()


@dataclass(frozen=True)
class Line:
    """One utterance of an input file; ``where`` is its file and line, for messages."""

    where: str
    dialogue: str
    speaker: str
    features: NDArray[np.float32]


def read_csv(path: Path) -> list[DialogueFeatures]:
    """Read dialogues from a CSV file: a header, then a row per utterance with dialogue, speaker and features.

    Raises:
        BadInput: the file cannot be read, or a line is wrong; names it.
    """
    speakers: dict[str, list[str]] = {}
    rows: dict[str, list[NDArray[np.float32]]] = {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            for line in csv_lines(bounded(file, str(path)), str(path)):
                speakers.setdefault(line.dialogue, []).append(line.speaker)
                rows.setdefault(line.dialogue, []).append(line.features)
    except OSError as error:
        raise BadInput(f"cannot read {path} ({error.strerror}): check path and permissions") from error
    if not rows:
        raise BadInput(f"{path} has no utterance below its header")
    return [DialogueFeatures(dialogue, speakers[dialogue], np.stack(rows[dialogue])) for dialogue in rows]


def bounded(file: TextIO, name: str) -> Iterator[str]:
    """Yield the lines of a file, as they arrive. Raises: BadInput: one is too long or holds a zero character."""
    number = 1
    while line := file.readline(LONGEST_LINE + 1):
        if len(line) > LONGEST_LINE:
            raise BadInput(f"{name} has a line of more than {LONGEST_LINE:,} characters: it is not CSV or JSON lines")
        if "\0" in line:
            raise BadInput(f"{name} holds a zero character in line {number}: it is damaged, or not in UTF-8")
        yield line
        number += 1


def nfc(name: str) -> str:
    """Return a name in the one of Unicode's forms that names are compared in; macOS writes another one."""
    return unicodedata.normalize("NFC", name)


def csv_lines(file: Iterable[str], name: str) -> Iterator[Line]:
    """Read CSV below a header. Args: see ``predict_lines``. Raises: BadInput: names the line and what is wrong."""
    lines = csv.reader(file, strict=True)
    try:
        yield from _csv_lines(lines, name)
    except UnicodeDecodeError as error:
        raise BadInput(f"{name} is not text in UTF-8 ({error.reason}): save it as that") from error
    except csv.Error as error:
        fault = next((what for words, what in _FAULTS.items() if words in str(error)), f"{error}: write it as CSV")
        raise BadInput(f"{name}, in the row that ends in line {lines.line_num}: {fault}") from error


def _csv_lines(lines: Any, name: str) -> Iterator[Line]:
    rows = (cells for cells in lines if len(cells) > 1 or any(cell.strip() for cell in cells))
    header = [cell.strip() for cell in next(rows, [])]
    where = f"{name}, line {max(lines.line_num, 1)}"
    if [cell.lower() for cell in header[:2]] != ["dialogue", "speaker"] or len(header) < 3:
        other = next((mark for mark in (";", "\t") if mark in "".join(header)), "")
        separated = " (its columns are separated by semicolons or tabs: save it again with commas)" if other else ""
        if not header:
            raise BadInput(f"{name} is empty: it must have a header, and a line for each utterance")
        raise BadInput(
            f"{where}: the header must be dialogue, speaker, then a name for each feature, "
            f"and not {','.join(header)[:40]!r}{separated}"
        )
    twice = sorted(cell for cell, count in Counter(cell.casefold() for cell in header).items() if count > 1 and cell)
    if twice:
        raise BadInput(f"{where}: column {twice[0][:40]!r} appears twice")
    for cells in rows:
        where = f"{name}, line {lines.line_num}"
        if len(cells) != len(header):
            raise BadInput(f"{where}: {len(cells)} cells, but the header has {len(header)}")
        yield Line(where, nfc(cells[0].strip()), nfc(cells[1].strip()), _numbers(cells[2:], where))


def json_lines(file: Iterable[str], name: str) -> Iterator[Line]:
    """Read JSON objects, one a line. Args: see ``predict_lines``. Raises: BadInput, UnicodeDecodeError."""
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
        yield Line(where, nfc(dialogue), nfc(speaker), numbers)


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


def first_line(lines: Iterator[str]) -> tuple[list[str], str]:
    """Return the lines up to the first that is not blank, and this one; it is empty if there is none."""
    taken = []
    for line in lines:
        taken.append(line)
        if line.strip():
            return taken, line
    return taken, ""


def stdin_lines() -> Iterable[str]:
    """Return the lines of stdin as they arrive, decoded as UTF-8 on every system.

    Raises:
        BadInput: stdin is closed.
    """
    if sys.stdin is None:
        raise BadInput("stdin is closed: redirect it from a file, or write the lines into a pipe")
    return bounded(io.TextIOWrapper(sys.stdin.buffer, "utf-8-sig", newline=""), "stdin")

# export.normalise

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray


BY = ("recording", "speaker")
# From so many utterances on, the statistics are the recording's own. Below, those of the training count, too, and with
# one utterance they alone do: it has no deviation, and its own mean would make it zero.
FULL = 10


def normalised(dialogue: DialogueFeatures, scale: dict[str, Any], by: str) -> DialogueFeatures:
    """Give the features of a recording, or of each of its speakers, the mean and deviation of the training.

    A feature x becomes (x - m) / s * deviation + mean, where m and s are between the recording's own statistics, with
    the weight w = min(1, (n - 1) / (FULL - 1)) for n utterances, and those of the training: m by the arithmetic mean, s
    by the geometric one. A feature that is constant in the recording keeps its scale. Not in the paper.

    Args:
        scale: ``mean`` and ``deviation`` of the training.
        by: one of ``BY``.

    Raises:
        BadInput: ``by`` is none of them, or there is not a voice for each utterance.
    """
    if by not in BY:
        raise BadInput(f"cannot normalise by {by[:40]!r}: choose {' or '.join(BY)}")
    mean, deviation = (np.array(scale[name], np.float64) for name in ("mean", "deviation"))
    features = np.asarray(dialogue.features, np.float64)
    who = dialogue.voices or dialogue.speakers
    if len(who) != len(features):
        raise BadInput(f"dialogue {dialogue.id[:100]} has {len(who)} voices for {len(features)} utterances")
    names = np.array([str(name) for name in who]) if by == "speaker" else np.zeros(len(features))
    found = np.empty(features.shape, np.float32)
    for name in np.unique(names):
        own = names == name
        found[own] = _adapted(features[own], mean, deviation)
    return replace(dialogue, features=found)


def unchanged(dialogues: Sequence[Sequence[str]], by: str | None) -> str | None:
    """Return one line on the dialogues that ``normalised`` leaves as they are, or None if there is none.

    Args:
        dialogues: who speaks each utterance, for each dialogue.
    """
    most = [len(who) if by == "recording" else max(Counter(who).values()) for who in dialogues]
    single = most.count(1)
    if not by or not single:
        return None
    where = "" if single == len(most) else f" in {single} of {len(most)} dialogues"
    return f"--normalise {by} changes nothing{where}: it needs two utterances of a {by}"


def _adapted(
    features: NDArray[np.float64], mean: NDArray[np.float64], deviation: NDArray[np.float64]
) -> NDArray[np.float64]:
    weight = min(1.0, (len(features) - 1) / (FULL - 1))
    middle, spread = features.mean(0), features.std(0)
    constant = spread <= 1e-6 * np.abs(features).max(0)
    spread = np.where(constant, deviation, spread) ** weight * deviation ** (1 - weight)
    return (features - weight * middle - (1 - weight) * mean) / spread * deviation + mean

# export.output

import csv
import io
import json
import re
import unicodedata
from collections.abc import Sequence
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

# What spreadsheets take for the beginning of a formula, and what they cannot: numbers with spaces between them.
FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
NUMBERS = re.compile(r"[-+]?(?:\d[\d.,]*(?:e[-+]?\d+)?|inf|nan)(?: [-+]?(?:\d[\d.,]*(?:e[-+]?\d+)?|inf|nan))*")


class _Prediction(TypedDict):
    dialogue: str
    utterance: int
    speaker: str
    start: float | None
    end: float | None
    label: str
    probabilities: dict[str, float]


class UtterancePrediction(_Prediction, total=False):
    """One utterance of the JSON output; ``docs/prediction.schema.json`` describes it. CSV has the same columns.

    ``utterance`` counts from 1 in each dialogue; ``start`` and ``end`` are seconds, None where no times are known.
    ``overlap`` is in predictions from recordings only: seconds in which another speaker speaks, too.
    """

    overlap: float


def utterance(
    dialogue: str,
    number: int,
    speaker: str,
    labels: Sequence[str],
    probabilities: Sequence[float] | NDArray[np.float32],
    times: tuple[float, float] | None = None,
    overlap: float | None = None,
) -> UtterancePrediction:
    """Build the output for one utterance: probabilities are rounded to 6 digits, times (start, end) to milliseconds."""
    values = [float(value) for value in probabilities]
    start, end = (None, None) if times is None else (round(times[0], 3), round(times[1], 3))
    found: UtterancePrediction = {
        "dialogue": dialogue,
        "utterance": number,
        "speaker": speaker,
        "start": start,
        "end": end,
        "label": labels[values.index(max(values))],
        "probabilities": {label: round(value, 6) for label, value in zip(labels, values, strict=True)},
    }
    if overlap is not None:
        found["overlap"] = round(overlap, 3)
    return found


def to_json(utterances: Sequence[UtterancePrediction]) -> str:
    """Write predictions as a JSON array with an object for each utterance."""
    return json_text(utterances) + "\n"


def to_csv(utterances: Sequence[UtterancePrediction], header: bool = True) -> str:
    """Write predictions as CSV: a row for each utterance, with a column of probabilities for each label.

    Predictions from recordings have a last column ``overlap``.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if header:
        labels = list(utterances[0]["probabilities"]) if utterances else []
        last = ["overlap"] if utterances and "overlap" in utterances[0] else []
        writer.writerow(["dialogue", "utterance", "speaker", "start", "end", "label", *map(csv_cell, labels), *last])
    for one in utterances:
        times = ["" if time is None else f"{time:.3f}" for time in (one["start"], one["end"])]
        values = [f"{value:.6f}" for value in one["probabilities"].values()]
        names = [csv_cell(one[key]) for key in ("dialogue", "speaker", "label")]
        last = [f"{one['overlap']:.3f}"] if "overlap" in one else []
        writer.writerow([names[0], one["utterance"], names[1], *times, names[2], *values, *last])
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

# export.predictor

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


# export.model_file

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray


# export.metadata

import re
from collections.abc import Callable
from typing import Any


# In bytes; no exported file comes near it.
MAX_METADATA = 1 << 23
MAX_NAMES = 10_000
# Of a range of features.
MAX_RANGE_AXES = 64
# Numbers in the state of a stream.
MAX_STATE = 1 << 24
# Longest window of a speech encoder.
MAX_WINDOW = 86_400


def check_metadata(found: dict[str, str], stream: bool) -> dict[str, Any]:
    """Parse an exported file's metadata and check type and range of every entry that is used.

    Args:
        stream: the file must be one that predicts utterance by utterance.

    Raises:
        ValueError: an entry is missing or is not what its name promises; names it.
    """
    if sum(map(len, found.values())) > MAX_METADATA:
        raise ValueError(f"its metadata have more than {MAX_METADATA >> 20} MiB")
    metadata = {key: _entry(key, value) for key, value in found.items() if key not in ("format", *FITTED)}
    metadata |= check_fitted(found)
    for key, (good, what) in (_ENTRIES | _STREAM_ENTRIES if stream else _ENTRIES).items():
        if key not in metadata:
            raise ValueError(f"its metadata lack {key}")
        if not good(metadata[key]):
            raise ValueError(f"its {key} are not {what}: {shown(metadata[key])}")
    _check_widths(metadata)
    return metadata


def check_fitted(found: dict[str, str]) -> dict[str, Any]:
    """Parse and check the entries of ``FITTED``, with their defaults for files of earlier versions, which lack them.

    Raises:
        ValueError: an entry is not what its name promises; names it.
    """
    metadata = {}
    for key, (good, what, default) in FITTED.items():
        metadata[key] = _entry(key, found[key]) if key in found else default
        if not good(metadata[key]):
            raise ValueError(f"its {key} is not {what}: {shown(metadata[key])}")
    return metadata


def _entry(key: str, text: str) -> Any:
    try:
        return parse_json(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"its metadata {shown(key)} are no JSON: {brief(error)}") from error


def _check_widths(metadata: dict[str, Any]) -> None:
    """Check that the entries on feature streams fit each other."""
    audio, widths = metadata["audio_stream"], metadata["widths"]
    streams = set(metadata["streams"])
    if audio not in streams or set(widths) != streams or set(metadata["absent_streams"]) != streams - {audio}:
        raise ValueError("its streams, audio_stream, absent_streams and widths name different streams")
    scale = metadata["standardisation"]
    size = metadata["range"]
    if size is not None and len(size["centre"]) != widths[audio]:
        raise ValueError("its range is not one of the audio stream")
    if set(scale) != {audio} or any(len(scale[audio][name]) != widths[audio] for name in ("mean", "deviation")):
        raise ValueError("its standardisation is not one of the audio stream")


def _is_short(value: object) -> bool:
    """Whether a value is a text that a recipe may hold: any letters, because it is escaped where it is shown."""
    return type(value) is str and len(value) <= 1000 and bool(value.strip())


def _is_name(value: object) -> bool:
    return _is_short(value) and str(value).isprintable()


def _is_number(value: object) -> bool:
    return type(value) in (int, float) and abs(value) < 1e300  # type: ignore[arg-type]


def _are_names(value: object, least: int = 1) -> bool:
    """Whether a value is a list of different names, as those of classes, speakers and streams are."""
    return (
        type(value) is list
        and least <= len(value) <= MAX_NAMES
        and all(map(_is_name, value))
        and len(set(value)) == len(value)
    )


def _is_count(value: object, least: int = 0, most: int = 1 << 31) -> bool:
    return type(value) is int and least <= value <= most


def _is_scale(value: object) -> bool:
    return (
        type(value) is dict
        and {"mean", "deviation"} <= set(value)
        and all(type(numbers) is list and all(map(_is_number, numbers)) for numbers in value.values())
        and all(number > 0 for number in value["deviation"])
    )


def _is_range(value: object) -> bool:
    """Whether a value describes the range of the features of a training, or is None; see ``export.distance``."""
    if value is None:
        return True
    if type(value) is not dict or set(value) != {"centre", "scale", "residual", "axes", "limits"}:
        return False
    rows, axes, limits = [value[name] for name in ("centre", "scale", "residual")], value["axes"], value["limits"]
    if not all(type(row) is list and len(row) == len(rows[0]) and all(map(_is_number, row)) for row in rows):
        return False
    return (
        bool(rows[0])
        and all(number > 1e-300 for row in rows[1:] for number in row)
        and type(axes) is list
        and len(axes) <= MAX_RANGE_AXES
        and all(type(axis) is list and len(axis) == len(rows[0]) for axis in axes)
        and all(type(one) is int and abs(one) <= 1 << 20 for axis in axes for one in axis)
        and type(limits) is dict
        and 1 <= len(limits) <= MAX_RANGE_AXES
        and all(re.fullmatch("[1-9][0-9]{0,3}", size) for size in limits)
        and all(type(two) is list and len(two) == 2 and all(map(_is_number, two)) for two in limits.values())
        and all(two[0] > 1e-300 and two[1] >= 0 for two in limits.values())
    )


def _is_recipe(value: object) -> bool:
    """Whether a value is a recipe of features: texts and numbers by name, and lists and dictionaries of these."""
    return value is None or (
        type(value) is dict
        and all(_is_short(key) and _is_plain(one) for key, one in value.items())
        and all(good(value[key]) for key, good in _RECIPE.items() if key in value)
    )


def _is_plain(value: object, depth: int = 4) -> bool:
    if type(value) in (list, dict):
        contents = value if type(value) is list else value.values()  # type: ignore[attr-defined]
        return depth > 0 and all(_is_plain(one, depth - 1) for one in contents)
    return value is None or type(value) in (str, bool) or _is_number(value)


def _is_versions(value: object) -> bool:
    return type(value) is dict and all(_is_short(key) and _is_short(one) for key, one in value.items())


def _is_layer(value: object) -> bool:
    return _is_short(value) or _is_count(value)


_RECIPE: dict[str, Callable[[Any], bool]] = {
    **dict.fromkeys(("extractor", "type", "set", "model", "parameters"), _is_short),
    "layer": _is_layer,
    "columns": _are_names,
    "weights": lambda value: type(value) is list and all(map(_is_number, value)),
    "chunk_seconds": lambda value: _is_number(value) and 0 < value <= MAX_WINDOW,
    "versions": _is_versions,
}
_Entry = tuple[Callable[[Any], bool], str]
_ENTRIES: dict[str, _Entry] = {
    "labels": (_are_names, "a list of different names"),
    "speakers": (_are_names, "a list of different names"),
    "streams": (_are_names, "a list of different names"),
    "audio_stream": (_is_name, "a name"),
    "absent_streams": (lambda value: _are_names(value, 0), "a list of different names"),
    "widths": (
        lambda value: type(value) is dict and all(_is_count(one, 1, 1 << 24) for one in value.values()),
        "numbers of columns",
    ),
    "standardisation": (
        lambda value: type(value) is dict and all(map(_is_scale, value.values())),
        "a finite mean and a deviation above 0 for each column",
    ),
    "recipe": (_is_recipe, "a recipe of features, or null"),
    "window": (
        lambda value: type(value) is list and len(value) == 2 and all(map(_is_count, value)),
        "two numbers of utterances",
    ),
    "arm": (_is_name, "a name"),
    "protocol": (_is_name, "a name"),
    "seed": (lambda value: _is_count(value, -(1 << 64), 1 << 64), "a whole number"),
    "corpus": (
        lambda value: type(value) is dict and {"name", "hash"} <= set(value) and all(map(_is_name, value.values())),
        "a name and a hash",
    ),
    "run": (_is_name, "the key of a run"),
    "versions": (_is_versions, "names and versions"),
}
# What the exporter fits to the corpus. Earlier versions wrote none of it: each entry has a default.
FITTED: dict[str, tuple[Callable[[Any], bool], str, Any]] = {
    "temperature": (lambda value: _is_number(value) and 0.01 <= value <= 100, "a number from 0.01 to 100", 1.0),
    "range": (_is_range, "a range of features, or null", None),
}
_STREAM_ENTRIES: dict[str, _Entry] = {
    "memory": (lambda value: _is_count(value, 1), "a number of utterances"),
    "state": (lambda value: _is_count(value, 1, MAX_STATE), f"a number up to {MAX_STATE}"),
}

# Name and version of the metadata in an exported file. A change that an earlier version of this package would
# misunderstand takes a new number; the entries of ``metadata.FITTED`` were added since, and have defaults.
FORMAT_NAME, FORMAT_VERSION = "bridging-modalities", 2


class Model(LimitedSession):
    """A model of a bundle, tried on one ordinary utterance.

    Args:
        stream: the file must be one that predicts utterance by utterance.
        wave: it must be one that takes waveforms.

    Attributes:
        metadata: everything the file says about itself.

    Raises:
        BadBundle: it is no file of our exporter, or cannot be run. BadInput: a provider is not available.
    """

    def __init__(
        self,
        path: Path,
        threads: int = 1,
        providers: Sequence[str] = (CPU,),
        limited: bool = True,
        stream: bool = False,
        wave: bool = False,
    ) -> None:
        super().__init__(path, threads, providers, limited)
        self.metadata = read_metadata(self.session, path, stream, wave)
        self._try_out(stream, wave)

    def check(self, probabilities: NDArray[np.float32], shape: tuple[int, ...]) -> None:
        """Check that outputs are probabilities. Raises: BadBundle: they are not."""
        try:
            check_probabilities(probabilities, shape)
        except ValueError as error:
            raise BadBundle(f"{self.path} is no model of `replicate export onnx`: {error}; export again") from error

    def _try_out(self, stream: bool, wave: bool) -> None:
        """Predict one utterance with the mean features of the training, or of 50 ms of silence."""
        about = self.metadata
        audio = np.array(about["standardisation"][about["audio_stream"]]["mean"], np.float32)[None]
        inputs: dict[str, NDArray[Any]]
        if wave:
            inputs = {"waveform": np.zeros((1, 800), np.float32), "samples": np.array([800])}
            inputs |= {"speaker": np.zeros(1, np.int64)}
        elif stream:
            inputs = {"audio": audio, "speaker": np.zeros(1, np.int64)}
        else:
            inputs = {"audio": audio[None], "speaker": np.zeros((1, 1), np.int64), "length": np.ones(1, np.int64)}
        outputs = self.run(inputs | ({"state": np.zeros(about["state"], np.float32)} if stream else {}))
        if not all(np.isfinite(output).all() for output in outputs):
            raise BadBundle(f"{self.path} gives numbers that are not finite for ordinary features: export again")
        classes = len(about["labels"])
        self.check(outputs[0], (1, classes) if stream or wave else (1, 1, classes))


def read_metadata(
    session: onnxruntime.InferenceSession, path: Path, stream: bool = False, wave: bool = False
) -> dict[str, Any]:
    """Read an exported file's metadata and compare them with its inputs and outputs.

    Args:
        stream, wave: see ``Model``.

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
        _check_shapes(session, metadata, stream, wave)
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


# Names and numbers of axes of the inputs and outputs of each kind of file, by (stream, wave).
_ENDS: dict[tuple[bool, bool], list[dict[str, int]]] = {
    (False, False): [{"audio": 3, "speaker": 2, "length": 1}, {"probability": 3}],
    (True, False): [{"audio": 2, "speaker": 1, "state": 1}, {"probability": 2, "new_state": 1}],
    (False, True): [{"waveform": 2, "samples": 1, "speaker": 1}, {"probability": 2, "features": 2}],
    (True, True): [
        {"waveform": 2, "samples": 1, "speaker": 1, "state": 1},
        {"probability": 2, "new_state": 1, "features": 2},
    ],
}


def _check_shapes(session: onnxruntime.InferenceSession, metadata: dict[str, Any], stream: bool, wave: bool) -> None:
    """Refuse a file whose inputs and outputs differ from its metadata."""
    inputs, outputs = session.get_inputs(), session.get_outputs()
    # Lists, because a file may have an output twice.
    found = [[(value.name, len(value.shape)) for value in values] for values in (inputs, outputs)]
    if found != [list(ends.items()) for ends in _ENDS[stream, wave]]:
        names = [shown(", ".join(name for name, _ in ends)) for ends in found]
        raise ValueError(f"its inputs are {names[0]} and its outputs {names[1]}")
    if stream and not inputs[-1].shape == outputs[1].shape == [metadata["state"]]:
        raise ValueError("the size of its state differs from its metadata")
    ends = (outputs[-1] if wave else inputs[0]).shape[-1], outputs[0].shape[-1]
    if ends != (metadata["widths"][metadata["audio_stream"]], len(metadata["labels"])):
        raise ValueError(f"it maps {shown(ends[0])} features to {shown(ends[1])} classes, unlike its metadata")

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
