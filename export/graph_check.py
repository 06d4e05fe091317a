"""Check an ONNX file from anybody before onnxruntime opens it, and the probabilities that it gives.

``predict.py`` of every bundle contains this module, so it imports nothing else of this package. It parses Protocol
Buffers itself: the onnx package is not needed to predict, and reserves what a file only claims.
"""

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
