"""Change graphs of the ONNX format through its own messages."""

from __future__ import annotations

import random
from typing import Any

import numpy as np

from tests.fuzz import mutations

# Values of constants and attributes where sizes are easily wrong.
_INTEGERS = (0, 1, -1, 2, 3, 7, 100, 10_000, 2**31 - 1, -(2**31), 2**40, 2**63 - 1, -(2**63))
_FLOATS = (0.0, -1.0, 1e-38, 1e30, float("nan"), float("inf"), -float("inf"))


def mutate(content: bytes, draws: random.Random) -> bytes:
    """Change one node, constant, attribute, input or output, any field of the format, now and then bytes."""
    import onnx
    from google.protobuf.message import DecodeError

    if draws.random() < 0.1:
        return mutations.of_bytes(content, draws)
    try:
        model = onnx.load_model_from_string(content)
        kind = draws.randrange(7)
        if kind < 2:
            _change_field(model, draws)
        else:
            change = draws.choice((_change_node, _change_node, _change_constant, _change_constant, _change_shape))
            change(model.graph, draws)
        return model.SerializeToString()
    except (DecodeError, IndexError, ValueError, TypeError):  # it was changed before
        return mutations.of_bytes(content, draws)


def _change_node(graph: Any, draws: random.Random) -> None:
    from onnx import helper

    from export.graph_check import OPERATORS

    node = draws.choice(graph.node)
    names = [name for one in graph.node for name in one.output] + [one.name for one in graph.initializer] + [""]
    kind = draws.randrange(6)
    if kind == 0:
        node.domain, _, node.op_type = draws.choice(sorted(OPERATORS)).rpartition(".")
    elif kind == 1 and node.input:
        node.input[draws.randrange(len(node.input))] = draws.choice(names)
    elif kind == 2:
        node.input.append(draws.choice(names))
    elif kind == 3 and node.attribute:
        attribute = draws.choice(node.attribute)
        attribute.i, attribute.f = draws.choice(_INTEGERS), draws.choice(_FLOATS)
        attribute.ints[:] = [draws.choice(_INTEGERS) for _ in attribute.ints]
    elif kind == 4:
        twice, source = f"twice_{len(graph.node)}", draws.choice(names)
        graph.node.insert(draws.randrange(len(graph.node)), helper.make_node("Concat", [source] * 2, [twice], axis=0))
        node.input[draws.randrange(len(node.input))] = twice
    else:
        graph.node.remove(node)


def _change_constant(graph: Any, draws: random.Random) -> None:
    from onnx import numpy_helper

    tensor = draws.choice(graph.initializer)
    kind = draws.randrange(4)
    if kind == 0:
        tensor.dims[:] = [draws.choice(_INTEGERS) for _ in range(draws.randrange(4))]
        return
    if kind == 1:
        tensor.data_type = draws.randrange(24)
        return
    values = numpy_helper.to_array(tensor).copy()
    if kind == 2:
        values = np.resize(values, [draws.choice((0, 1, 2, 3, 50)) for _ in range(draws.randrange(4))])
    elif values.size:
        drawn = draws.choice(_FLOATS) if values.dtype.kind == "f" else draws.choice(_INTEGERS)
        with np.errstate(over="ignore"):  # of 16 bits
            values.flat[draws.randrange(values.size)] = np.array(drawn).astype(values.dtype)
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))


def _change_shape(graph: Any, draws: random.Random) -> None:
    value = draws.choice([*graph.input, *graph.output])
    dims = value.type.tensor_type.shape.dim
    kind = draws.randrange(4)
    if kind == 0 and dims:
        draws.choice(dims).dim_value = draws.choice(_INTEGERS)
    elif kind == 1:
        dims.add().dim_value = draws.choice(_INTEGERS)
    elif kind == 2:
        value.type.tensor_type.elem_type = draws.randrange(24)
    else:
        value.name = draws.choice(("audio", "speaker", "length", "probability", "x" * 5000, "\x1b[31m", ""))


def _change_field(model: Any, draws: random.Random) -> None:
    """Change any field of any message of a model: set, emptied, repeated, moved, or one that it did not have."""
    message = model
    while draws.random() < 0.75:  # one level down
        inner = [
            value
            for field, values in message.ListFields()
            if field.message_type is not None
            for value in (values if _is_list(values) else [values])
        ]
        if not inner:
            break
        message = draws.choice(inner)
    field = draws.choice(message.DESCRIPTOR.fields)
    values = getattr(message, field.name)
    if not _is_list(values):
        if field.message_type is not None:
            values.CopyFrom(message) if values.DESCRIPTOR is message.DESCRIPTOR else values.SetInParent()
        else:
            setattr(message, field.name, _odd(field, draws))
        return
    kind = draws.randrange(4)
    if kind == 0 and len(values):
        del values[draws.randrange(len(values))]
    elif kind == 1 and len(values):
        values.extend([draws.choice(values)] * draws.choice((1, 2, 100)))
    elif kind == 2:
        del values[:]
    elif field.message_type is not None:
        values.add()
    else:
        values.append(_odd(field, draws))


def _is_list(values: Any) -> bool:
    return hasattr(values, "extend")


def _odd(field: Any, draws: random.Random) -> Any:
    if field.cpp_type in (field.CPPTYPE_FLOAT, field.CPPTYPE_DOUBLE):
        return draws.choice(_FLOATS)
    if field.cpp_type == field.CPPTYPE_STRING:
        text = draws.choice(("", "a", "a" * 5000, "\x1b[31m", "../../x", "audio", "com.microsoft", "\n", "\u00e9"))
        return text.encode() if field.type == field.TYPE_BYTES else text
    number = draws.choice(_INTEGERS)
    return (
        number
        if field.cpp_type == field.CPPTYPE_INT64
        else number % 2**31
        if field.cpp_type != field.CPPTYPE_ENUM
        else number % 24
    )
