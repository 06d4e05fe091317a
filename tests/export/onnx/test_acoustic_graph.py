"""The extractor as ONNX nodes, against its one definition in torch."""

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from export.onnx.acoustic_graph import functionals
from export.onnx.builder import Writer
from replicate.features.acoustic import Acoustic, columns

from .runtimes import Onnxruntime, OpenVino, Reference

MODEL = Acoustic().eval()


def graph():
    write = Writer(portable=True)
    functionals(write, "waveform", "samples", "features")
    inputs = {"waveform": ["utterances", "time"], "samples": ["utterances"]}
    return write.model(inputs, {"features": ["utterances", len(columns())]})


def batch(*lengths, fill=7.0):
    """Voices of rising pitch with noise; what follows their ends is ``fill``."""
    wave, time = np.full((len(lengths), max(lengths)), fill, np.float32), np.arange(max(lengths)) / 16_000
    for row, length in enumerate(lengths):
        draws = np.random.default_rng(row)
        voice = np.sin(2 * np.pi * (120 + 40 * row + 30 * time) * time) * (1 + np.sin(9 * time))
        wave[row, :length] = (0.1 * voice + 0.01 * draws.standard_normal(len(time)))[:length]
    return wave, np.array(lengths)


def expected(wave, samples):
    with torch.no_grad():
        return MODEL(torch.from_numpy(wave), torch.from_numpy(samples)).numpy()


@pytest.mark.parametrize("runtime", [Onnxruntime, OpenVino, Reference], ids=lambda one: one.__name__)
def test_it_computes_what_torch_computes(runtime, tmp_path):
    built = graph()
    onnx.checker.check_model(built, full_check=True)
    run = runtime(built, tmp_path / "acoustic.onnx")
    # One sample, one frame and less, 50 ms, and two seconds.
    for lengths in [(32_000,), (1,), (399, 400, 401), (800, 16_001, 5_000)]:
        wave, samples = batch(*lengths)
        found = run.run(None, {"waveform": wave, "samples": samples})[0]
        assert np.isfinite(found).all()
        assert np.allclose(found, expected(wave, samples), rtol=0, atol=1e-4), lengths


RUN = Onnxruntime(graph(), None)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(1, 9_000), min_size=1, max_size=4), st.floats(-1, 1), st.sampled_from([0.0, 1e-4, 1.0, 30.0])
)
def test_lengths_loudness_and_padding(lengths, fill, scale):
    wave, samples = batch(*lengths, fill=fill)
    wave *= scale
    found = RUN.run(None, {"waveform": wave, "samples": samples})[0]
    assert np.allclose(found, expected(wave, samples), rtol=0, atol=1e-4)


def test_the_extractor_is_small_since_cosines_are_looked_up():
    assert len(graph().SerializeToString()) < 100_000
