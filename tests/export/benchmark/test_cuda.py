"""The engines on a GPU, and what can be tested of them without one."""

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import DynamicOutputShapeException, FakeTensorMode

from export.benchmark import base, cuda, engines
from export.benchmark import timing as benchmark
from export.benchmark.measurements import Place, Shape
from export.onnx.deployed_model import SpeechModel
from export.validate.dialogue import example
from replicate.model.cogmen import COGMEN
from replicate.model.config import ModelConfig
from replicate.training.data import Scale

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")


def dry_run(form, device):
    """Run the model on fake tensors: whatever needs a value on the host, or mixes devices, fails."""
    model = SpeechModel(COGMEN(ModelConfig(14)), {"audio": Scale(np.zeros(14, "f4"), np.ones(14, "f4"))}, form)
    sizes = {name: (value.shape, value.dtype) for name, value in model.state_dict().items()}
    with FakeTensorMode(), torch.inference_mode():
        weights = {name: torch.empty(shape, dtype=kind, device=device) for name, (shape, kind) in sizes.items()}
        inputs = (
            torch.empty(2, 30, 14, device=device),
            torch.empty(2, 30, dtype=torch.int64, device=device),
            torch.empty(2, dtype=torch.int64, device=device),
        )
        return torch.func.functional_call(model, weights, inputs)


def test_the_banded_form_can_be_captured():
    # A CUDA graph may neither wait for a value on the host nor take a tensor from there. The lazy device is one that
    # every build of torch knows.
    out = dry_run("banded", "lazy")
    assert out.shape == (2, 30, 4) and out.device.type == "lazy"


def test_the_reference_form_cannot_be_captured():
    with pytest.raises(DynamicOutputShapeException):
        dry_run("reference", "lazy")


def test_a_missing_provider_is_named(smoke_bundle):
    found = cuda.lacks_provider(smoke_bundle.folder / "model.onnx")
    assert (found is None) == (
        torch.cuda.is_available() and cuda.PROVIDER in cuda.onnxruntime.get_available_providers()
    )
    assert found is None or cuda.PROVIDER in found


@pytest.mark.gpu
@needs_gpu
def test_every_engine_computes_the_same_on_the_gpu_as_on_the_cpu(smoke_bundle):
    run = engines.open_run(smoke_bundle.folder)
    expected = engines.make(base.REFERENCE, smoke_bundle.folder)
    able = [name for name, why in engines.available(smoke_bundle.folder, "cuda").items() if why is None]
    assert {base.REFERENCE, base.BANDED, base.REPLAYED} <= set(able)
    for lengths in ((1,), (7, 30, 1), (110,)):
        inputs = example(lengths, SpeechModel(run.model(), run.scaling()))
        for name in set(able) - {base.COMPILED}:
            found = engines.make(name, smoke_bundle.folder, device="cuda").predict(inputs)
            assert np.allclose(found, expected.predict(inputs), atol=1e-4), (name, lengths)


@pytest.mark.gpu
@needs_gpu
def test_the_gpu_is_timed(smoke_bundle):
    timings, failures = benchmark.time_all(smoke_bundle.folder, [Shape(2, 5)], [Place("cuda")], 20)
    assert {base.REFERENCE, base.BANDED, base.REPLAYED} <= {timing.engine for timing in timings}
    assert all(0 < timing.p50 <= timing.p99 for timing in timings) and not failures
    rows = benchmark.summarise(smoke_bundle.folder, None, 30, ["cuda"])
    assert all(row.peak_megabytes for row in rows if row.missing is None)
