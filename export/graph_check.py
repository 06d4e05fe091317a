"""Check an ONNX file from anybody before onnxruntime opens it, and the probabilities that it gives.

``predict.py`` of every bundle contains this module, so it imports nothing else of this package. It parses Protocol
Buffers itself: the onnx package is not needed to predict, and reserves what a file only claims.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

# More nodes than any exported graph has.
MAX_NODES = 5000
# Everything that the exporter and the quantiser write, or wrote since the metadata are of this format. Without an
# operator that holds a graph of its own, such as If or Loop, every node runs once.
_OPERATORS = """
    Abs Add And Cast Clip Concat Div DynamicQuantizeLinear Equal Expand Gather Gemm GreaterOrEqual
    LayerNormalization LeakyRelu Less LessOrEqual MatMul MatMulInteger Max Min Mul Pad Range ReduceProd
    ReduceSum Relu Reshape Shape Slice Softmax Split Squeeze Sub Transpose Unsqueeze Where
    com.microsoft.Attention com.microsoft.MultiHeadAttention com.microsoft.SkipLayerNormalization
"""
OPERATORS = frozenset(_OPERATORS.split())
# Bytes of a value by the type of a constant in an ONNX file: float32, uint8, int8, int32, int64, bool.
_SIZES = {1: 4, 2: 1, 3: 1, 6: 4, 7: 8, 9: 1}
# Numbers of the fields that exported files have, by message of the ONNX format.
_MODEL, _GRAPH, _NODE = {1, 2, 3, 4, 5, 6, 7, 8, 14}, {1, 2, 5, 10, 11, 12, 13, 16}, {1, 2, 3, 4, 5, 6, 7, 9}
_ATTRIBUTE, _TENSOR = {1, 2, 3, 4, 7, 8, 9, 13, 20}, {1, 2, 4, 5, 7, 8, 9, 12, 14}
# What the fields hold that are refused and that programs other than ours write.
_REFUSED = {
    "model": {20: "a graph for training", 25: "functions"},
    "graph": {15: "sparse constants"},
    "attribute": {5: "a constant", 6: "a graph (control flow)", 10: "constants", 11: "graphs (control flow)"},
    "constant": {13: "values in another file"},
}
_Value = int | memoryview


def check_graph(content: bytes) -> None:
    """Check that an ONNX file has nothing that our exporter does not write, without reserving what it only claims.

    Raises:
        ValueError: it has another operator, a graph in a graph, or a constant whose values are not in the file.
    """
    nodes = graphs = 0
    try:
        for number, value in _fields(memoryview(content), "model", _MODEL):
            if number == 7:
                graphs += 1
                nodes += _check_nodes(_bytes(value))
    except IndexError as error:
        raise ValueError("it is no ONNX file, or is cut short") from error
    if graphs != 1 or not 0 < nodes <= MAX_NODES:
        raise ValueError(f"it has {graphs} graphs and {nodes} nodes")


def _check_nodes(graph: memoryview) -> int:
    nodes = 0
    for number, value in _fields(graph, "graph", _GRAPH):
        if number == 1:
            nodes += 1
            _check_node(_bytes(value))
        elif number == 5:
            _check_constant(_bytes(value))
    return nodes


def _check_node(node: memoryview) -> None:
    domain, operator, attributes = b"", b"", []
    for number, value in _fields(node, "node", _NODE):
        if number == 4:
            operator = bytes(_bytes(value))
        elif number == 7:
            domain = bytes(_bytes(value))
        elif number == 5:
            attributes.append(_bytes(value))
    name = domain + b"." + operator if domain else operator
    if name.decode("ascii", "replace") not in OPERATORS:
        raise ValueError(f"its graph has the operator {shown(name)}, which no exported model has")
    for attribute in attributes:
        for _ in _fields(attribute, "attribute", _ATTRIBUTE):
            pass


def _check_constant(tensor: memoryview) -> None:
    dims: list[int] = []
    size, raw, typed = 0, None, 0
    for number, value in _fields(tensor, "constant", _TENSOR):
        if number == 1:
            dims += _integers(value)
        elif number == 2 and isinstance(value, int):
            size = _SIZES.get(value, 0)
        elif number == 9:
            raw = len(_bytes(value))
        elif number in (4, 5, 7):
            typed += 1 if isinstance(value, int) else len(value)
        elif number == 14 and value:
            raise ValueError("it has a constant in another file, where a bundle has all of them inside")
    count = 1
    for dim in dims:
        count *= dim
        if max(dim, count) > len(tensor):
            raise ValueError("it has a constant that claims more values than the file holds")
    if not size:
        raise ValueError("it has a constant of a type that no exported model has")
    if (raw is None and count > typed) or (raw is not None and count * size != raw):
        raise ValueError("it has a constant that claims another number of values than the file holds")


def _fields(message: memoryview, what: str, known: set[int]) -> Iterator[tuple[int, _Value]]:
    """Yield number and value of each field of a message in Protocol Buffers; messages and texts are bytes.

    Raises:
        ValueError: it is malformed, or has a field that is not ``known``. IndexError: it is cut short.
    """
    at, end = 0, len(message)
    value: _Value
    while at < end:
        key = message[at]
        at += 1
        if key > 127:
            key, at = _varint(message, at - 1)
        kind, number = key & 7, key >> 3
        if number not in known:
            content = _REFUSED.get(what, {}).get(number, "content")
            raise ValueError(f"its {what} has {content}, which no exported model has")
        if kind == 0:
            value, at = _varint(message, at)
        elif kind in (1, 2, 5):
            size = message[at] if kind == 2 else 8 if kind == 1 else 4
            if kind == 2:
                at += 1
                if size > 127:
                    size, at = _varint(message, at - 1)
            if size > end - at:
                raise IndexError
            value = message[at : at + size]
            at += size
        else:
            raise IndexError
        yield number, value


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """Return the integer of variable length at a position, and the position after it."""
    value = 0
    for shift in range(0, 70, 7):
        byte = message[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
    raise IndexError


def _integers(value: _Value) -> Iterator[int]:
    """Yield the integers of a repeated field, which may be packed."""
    if isinstance(value, int):
        yield value
        return
    at = 0
    while at < len(value):
        number, at = _varint(value, at)
        yield number


def _bytes(value: _Value) -> memoryview:
    if isinstance(value, int):
        raise IndexError
    return value


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


def check_probabilities(found: NDArray[np.float32], shape: tuple[int, ...]) -> None:
    """Check finite outputs of a model: shape (..., classes), none is negative, and those of a row sum to 1.

    Raises:
        ValueError: they are no probabilities; says why.
    """
    if found.shape != shape or found.dtype != np.float32:
        raise ValueError(f"its output has the shape {found.shape}, not {shape}")
    if found.size and float(found.min()) < 0:
        raise ValueError(f"it gives a probability of {float(found.min()):.3g}, below 0")
    sums = found.sum(-1, dtype=np.float64)
    if sums.size and float(np.abs(sums - 1).max()) > 1e-3:
        wrong = float(sums.flat[np.abs(sums - 1).argmax()])
        raise ValueError(f"its probabilities of an utterance sum to {wrong:.3g} instead of 1")
