"""What else a user would pick: exported, run and compared with our file."""

import numpy as np
import pytest

from export.benchmark import base, peers
from export.benchmark import timing as benchmark
from export.benchmark.measurements import Place, Shape
from export.onnx.session import torch_outputs
from export.validate.dialogue import example

from ..onnx.test_dialogue_graph import speech


def test_a_peer_that_is_not_installed_is_named_with_the_reason(monkeypatch):
    monkeypatch.setattr(peers, "find_spec", lambda name: None if name == "openvino" else name)
    monkeypatch.setattr(peers.shutil, "which", lambda name: None)
    found = peers.available()
    assert found[peers.PLAIN] is None
    assert "openvino is not installed" in found[peers.OPENVINO] and "C++ compiler" in found[peers.AOT]
    monkeypatch.setattr(peers, "find_spec", lambda name: None if name == "onnxscript" else name)
    found = peers.available()
    assert "onnxscript" in found[peers.PLAIN] and "onnxscript" in found[peers.OPENVINO]


def test_a_peer_is_exported_once_for_each_shape(monkeypatch):
    exported = []

    def build(model, inputs, threads):
        exported.append((inputs["audio"].shape, threads))
        return lambda given: given["audio"]

    monkeypatch.setattr(peers, "_plain", build)
    model = speech()
    run = peers.make(peers.PLAIN, model, 3)
    for lengths in ((5,), (5,), (7, 2), (7, 2)):
        run(example(lengths, model))
    assert exported == [((1, 5, 12), 3), ((2, 7, 12), 3)]


@pytest.mark.slow
@pytest.mark.parametrize("name", peers.PEERS)
def test_a_peer_computes_the_same(name):
    if peers.available()[name]:
        pytest.skip(peers.available()[name])
    model = speech(context_layers=1)
    model.form = "banded"
    inputs = example((18,), model)
    for _ in range(2):
        assert np.allclose(peers.make(name, model)(inputs), torch_outputs(model, inputs), rtol=0, atol=2e-6)


def test_a_peer_with_other_outputs_is_shown_as_wrong_and_not_timed(smoke_bundle, monkeypatch):
    def make(name, bundle, threads, device):
        if name == peers.PLAIN:
            return benchmark.engines.on_host(lambda inputs: real(base.FP32, bundle).predict(inputs) + 1e-2)
        return real(base.FP32 if name == peers.OPENVINO else name, bundle, threads, device)

    real = benchmark.engines.make
    monkeypatch.setattr(benchmark, "make", make)
    monkeypatch.setattr(benchmark, "WARM_UP", 1)
    monkeypatch.setattr(benchmark, "available", lambda bundle, device: {base.FP32: None})
    monkeypatch.setattr(peers, "available", lambda: {peers.PLAIN: None, peers.OPENVINO: None, peers.AOT: "no compiler"})
    folder, cases, places = smoke_bundle.folder, [Shape(1, 5)], [Place("cpu", 1)]
    timings, failures = benchmark.time_all(folder, cases, places, 2, with_peers=True)
    assert [timing.engine for timing in timings] == [base.FP32, peers.OPENVINO, base.FLOOR]
    (failure,) = failures
    assert failure.startswith(f"{peers.PLAIN}: not timed for batch 1, 5 utterances") and "differs by 1.0e-02" in failure
    summaries = benchmark.summarise(folder, None, 5, ["cpu"], with_peers=True)
    assert [(one.engine, one.missing) for one in summaries if one.engine in peers.PEERS] == [(peers.AOT, "no compiler")]
    timings, _ = benchmark.time_all(folder, cases, places, 2)
    assert peers.OPENVINO not in {timing.engine for timing in timings}
