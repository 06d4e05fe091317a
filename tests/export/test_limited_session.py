"""Graphs that were changed on purpose, with valid checksums: each is refused with its cause."""

import subprocess
import sys

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from export import limited_session
from export.predictor import BadBundle, BadInput, Predictor
from tests.export import tiny_bundle


def constant(name, *values, kind=np.int64):
    return numpy_helper.from_array(np.array(values, kind), name)


def with_nodes(*nodes, constants=()):
    """Put nodes in front of the graph and add the last one's output, as its sum, to the features."""

    def change(model):
        graph = model.graph
        old = list(graph.node)
        del graph.node[:]
        last = nodes[-1].output[0]
        graph.node.extend([*nodes, helper.make_node("ReduceSum", [last], ["sum"], keepdims=0)])
        graph.node.append(helper.make_node("Add", ["audio", "sum"], ["shifted"]))
        old[0].input[0] = "shifted"
        graph.node.extend(old)
        graph.initializer.extend(constants)

    return change


def loop(model):
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["again"]), helper.make_node("Identity", ["x"], ["y"])],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("x", TensorProto.FLOAT, [1]),
        ],
        [
            helper.make_tensor_value_info("again", TensorProto.BOOL, []),
            helper.make_tensor_value_info("y", TensorProto.FLOAT, [1]),
        ],
    )
    with_nodes(
        helper.make_node("Loop", ["most", "yes", "start"], ["looped"], body=body),
        constants=[
            numpy_helper.from_array(np.array(1 << 60), "most"),
            numpy_helper.from_array(np.array(True), "yes"),
            constant("start", 1, kind=np.float32),
        ],
    )(model)


def hidden_loop(model):
    """A graph in an attribute of an operator that is allowed."""
    model.graph.node[0].attribute.append(helper.make_attribute("body", onnx.GraphProto(name="g")))


def function(model):
    node = helper.make_node("Identity", ["x"], ["y"])
    opset = helper.make_opsetid("", 18)
    model.functions.append(helper.make_function("mine", "MatMul", ["x"], ["y"], [node], [opset]))


def external(model):
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../../../etc/passwd")


def claimed(*dims):
    def change(model):
        model.graph.initializer[0].dims[:] = dims

    return change


def size_of(which, place, size):
    def change(model):
        getattr(model.graph, which)[0].type.tensor_type.shape.dim[place].dim_value = size

    return change


def weights(values):
    def change(model):
        model.graph.initializer[0].CopyFrom(numpy_helper.from_array(np.array(values, np.float32), "w"))

    return change


def without_softmax(model):
    model.graph.node[1].op_type = "Relu"


def negative(model):
    model.graph.node[1].op_type = "Sub"
    model.graph.node[1].input.append("x2")
    model.graph.node.insert(1, helper.make_node("Add", ["x", "one"], ["x2"]))
    model.graph.initializer.append(constant("one", 1, kind=np.float32))


def without_name(model):
    """onnxruntime read the missing tensor (SIGSEGV)."""
    with_nodes(helper.make_node("Max", ["w", "w", ""], ["most"]))(model)


def many_inputs(model):
    model.graph.node[0].input.extend(["a"] * 300_000)


def many_axes(model):
    model.graph.initializer[0].dims[:] = [1] * 50_000


def opset(domain, version):
    def change(model):
        for one in model.opset_import:
            if one.domain == domain:
                one.version = version

    return change


expand = helper.make_node("Expand", ["start", "size"], ["large"])
start = constant("start", 1, kind=np.float32)
doubled = [helper.make_node("Concat", [f"c{i}"] * 2, [f"c{i + 1}"], axis=0) for i in range(36)]
GRAPHS = {
    "loop": (loop, "operator 'Loop'"),
    "a graph in a graph": (hidden_loop, "control flow"),
    "a function": (function, "functions"),
    "weights in another file": (external, "another file"),
    "claimed values": (claimed(1 << 31, 1 << 31), "claims more values"),
    "claimed negative": (claimed(-1), "claims more values"),
    "an input without a name": (without_name, "no name"),
    "an output without a name": (lambda model: model.graph.node[0].output.__setitem__(0, ""), "no name"),
    "many inputs": (many_inputs, "more than 200,000 entries"),
    "many axes": (many_axes, "claims another number|axes"),
    "claimed fewer": (claimed(1), "another number of values"),
    "a constant made large": (
        with_nodes(expand, constants=[start, constant("size", 10**10)]),
        r"needs more than (800|350) MB",
    ),
    "doubled 36 times": (with_nodes(*doubled, constants=[constant("c0", 1, kind=np.float32)]), r"more than \d+ MB"),
    "another operator": (with_nodes(helper.make_node("Tile", ["w", "w"], ["tiled"])), "operator 'Tile'"),
    "another domain": (with_nodes(helper.make_node("Add", ["w", "w"], ["a"], domain="x\x1b[31m")), r"'x\?*.*\.Add'"),
    "a width of 10^9": (size_of("input", 2, 10**9), "ShapeInferenceError"),  # a long path cuts the rest
    "a width of 10^15 and more": (size_of("output", 2, (1 << 63) - 1), "to a NoneType classes"),
    "an output without axes": (
        lambda model: model.graph.output[0].type.tensor_type.shape.ClearField("dim"),
        "its inputs",
    ),
    "an output twice": (lambda model: model.graph.output.append(model.graph.output[0]), "'probability, probability'"),
    "NaN": (weights([[np.nan] * 2] * 2), "not finite"),
    "no softmax": (without_softmax, "sum to 0"),
    "negative": (negative, "below 0"),
    "opset 99": (opset("", 99), "cannot open|too old"),
    "opset of ours 99": (opset("com.microsoft", 99), "cannot open|too old"),
    "another type": (lambda model: setattr(model.graph.input[0].type.tensor_type, "elem_type", 11), "cannot open"),
    "no graph": (lambda model: model.ClearField("graph"), "0 graphs"),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_a_hostile_graph_is_refused_with_its_cause(tmp_path, name):
    change, message = GRAPHS[name]
    with pytest.raises(BadBundle, match=message) as error:
        Predictor(tiny_bundle.write(tmp_path / "b", change))
    assert str(error.value).isprintable() and len(str(error.value)) < 600


def test_a_file_that_is_cut_short_is_refused(tmp_path):
    folder = tiny_bundle.write(tmp_path / "b")
    content = (folder / "model.onnx").read_bytes()
    for size in range(0, len(content), 7):
        (folder / "model.onnx").write_bytes(content[:size])
        with pytest.raises(BadBundle):
            Predictor(tiny_bundle.list_files(folder))


def test_a_model_that_is_too_large_is_not_read(tmp_path):
    folder = tiny_bundle.write(tmp_path / "b")
    with (folder / "model.onnx").open("ab") as file:
        file.truncate((1 << 26) + 1)
    with pytest.raises(BadBundle, match=r"model\.onnx has more than 64 MiB"):
        Predictor(tiny_bundle.list_files(folder))


def test_a_model_that_is_replaced_while_it_is_opened_is_refused(tmp_path, monkeypatch):
    folder = tiny_bundle.write(tmp_path / "b")
    check = limited_session.check_graph

    def replace_after(content):
        check(content)
        tiny_bundle.write(tmp_path / "other", loop)
        (tmp_path / "other" / "model.onnx").replace(folder / "model.onnx")

    monkeypatch.setattr(limited_session, "check_graph", replace_after)
    with pytest.raises(BadBundle, match="changed while it was opened"):
        Predictor(folder)


def test_text_that_is_not_utf_8_is_refused(tmp_path):
    folder = tiny_bundle.write(tmp_path / "b")
    content = (folder / "model.onnx").read_bytes()
    for old in (b"excited", b"absent_streams", b"probability", b"Softmax", b"audio"):
        (folder / "model.onnx").write_bytes(content.replace(old, b"\xff" * len(old)))
        with pytest.raises(BadBundle) as error:
            Predictor(tiny_bundle.list_files(folder))
        assert str(error.value).isprintable() and len(str(error.value)) < 600


def test_a_state_that_is_not_finite_is_an_error(tmp_path):
    def large(model):
        model.graph.initializer[1].CopyFrom(constant("one", 3e38, kind=np.float32))

    stream = Predictor(tiny_bundle.write(tmp_path / "b", stream=large)).stream()
    stream.feed(np.zeros(2), "M")
    with pytest.raises(BadInput, match="overflow"):
        stream.feed(np.zeros(2), "M")
    assert stream.count == 1


def test_a_failure_while_predicting_is_named(tmp_path):
    def only_one_utterance(model):
        graph = model.graph
        graph.node.insert(0, helper.make_node("Reshape", ["audio", "shape"], ["one"]))
        graph.node[1].input[0] = "one"
        graph.initializer.append(constant("shape", 1, 1, 2))

    predictor = Predictor(tiny_bundle.write(tmp_path / "b", only_one_utterance))
    assert predictor(np.zeros((1, 2)), ["M"]).emotions
    with pytest.raises(BadBundle, match="cannot run"):
        predictor(np.zeros((2, 2)), ["M", "M"])


def test_an_empty_matrix_does_not_end_the_process(tmp_path):
    """onnxruntime's product of a transposed matrix divided by zero (SIGFPE)."""
    nodes = (
        helper.make_node("Slice", ["audio", "zero", "zero", "zero"], ["empty"]),
        helper.make_node("Transpose", ["empty"], ["transposed"], perm=[1, 0, 2]),
        helper.make_node("MatMul", ["transposed", "cube"], ["product"]),
    )
    cube = numpy_helper.from_array(np.ones((1, 2, 3), np.float32), "cube")
    folder = tiny_bundle.write(tmp_path / "b", with_nodes(*nodes, constants=[constant("zero", 0), cube]))
    command = [sys.executable, "-I", str(folder / "predict.py"), str(tmp_path / "x.csv")]
    (tmp_path / "x.csv").write_text(tiny_bundle.HEADER + "d,M,1,2\n")
    assert subprocess.run(command, check=False).returncode == 0


@pytest.mark.parametrize("change", [None, loop], ids=["good", "loop"])
def test_the_copy_in_a_bundle_checks_the_same(tmp_path, change):
    folder = tiny_bundle.write(tmp_path / "b", *([change] if change else []))
    (tmp_path / "x.csv").write_text(tiny_bundle.HEADER + "d,M,1,2\n")
    command = [sys.executable, "-I", str(folder / "predict.py"), str(tmp_path / "x.csv")]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    if change is None:
        assert found.returncode == 0 and found.stdout.startswith("dialogue,utterance") and found.stderr == ""
    else:
        assert found.returncode == 1 and found.stderr.count("\n") == 1 and "operator 'Loop'" in found.stderr
