from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from transformers import HubertModel, Wav2Vec2FeatureExtractor

from replicate.errors import BadModel, MissingDevice, TooLittleMemory
from replicate.features import encoder_input
from replicate.features.encoder import Choice, Encoder
from tests.recordings import tone

SIGNALS = [tone(seconds, seed=i, hertz=100 + 50 * i) for i, seconds in enumerate((0.5, 0.31, 0.025, 0.9, 0.31))]


def direct(path: Path, signal: NDArray[np.float32], layer: str, weights: tuple[float, ...] = ()) -> NDArray[np.float32]:
    """The same features by transformers alone: one signal, as a whole."""
    model = HubertModel.from_pretrained(path).eval()
    inputs = Wav2Vec2FeatureExtractor.from_pretrained(path)(signal, sampling_rate=16_000, return_tensors="pt")
    with torch.no_grad():
        found = model(inputs.input_values, output_hidden_states=True)
    states = [*found.hidden_states[:-1], found.last_hidden_state]
    assert len(states) == 4
    if layer == "last":
        chosen = found.last_hidden_state
    elif layer == "second-to-last":
        chosen = found.hidden_states[-2]
    elif layer == "weighted":
        scale = weights or (1, 1, 1, 1)
        chosen = sum(weight * state for weight, state in zip(scale, states, strict=True)) / sum(scale)
    else:
        chosen = states[int(layer)]
    return chosen[0].mean(0).numpy()


@pytest.mark.parametrize("norm", ["layer", "group"])
@pytest.mark.parametrize(
    ("layer", "weights"),
    [
        ("last", ()),
        ("second-to-last", ()),
        ("0", ()),
        ("1", ()),
        ("3", ()),
        ("weighted", ()),
        ("weighted", (0, 1, 2, 5)),
    ],
)
def test_vectors_are_those_of_transformers(
    norm: str, layer: str, weights: tuple[float, ...], request: pytest.FixtureRequest
) -> None:
    path = request.getfixturevalue(f"hubert_{norm}")
    found = Encoder(Choice(str(path), layer, weights), "cpu")(SIGNALS)
    assert (found.shape, found.dtype) == ((5, 16), np.float32)
    for signal, vector in zip(SIGNALS, found, strict=True):
        np.testing.assert_allclose(vector, direct(path, signal, layer, weights), rtol=0, atol=1e-5)
    assert np.ptp(found, axis=0).min() > 1e-3  # the vectors differ


def test_signals_are_normalised_as_by_transformers(hubert_layer: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    signal = 3 * tone(2.5) + 0.5
    monkeypatch.setattr(encoder_input, "RATE", 300)  # several minutes
    mean, deviation = encoder_input.moments(signal)
    monkeypatch.undo()
    whole = Wav2Vec2FeatureExtractor.from_pretrained(hubert_layer)(signal, sampling_rate=16_000, return_tensors="np")
    np.testing.assert_allclose((signal - mean) / deviation, whole.input_values[0], rtol=0, atol=1e-6)


def test_models_without_normalisation_get_raw_signals(hubert_layer: Path, tmp_path: Path) -> None:
    path = Path(shutil.copytree(hubert_layer, tmp_path / "model"))
    Wav2Vec2FeatureExtractor(do_normalize=False).save_pretrained(path)
    signal = SIGNALS[0] + 0.2
    found = Encoder(Choice(str(path)), "cpu")([signal])[0]
    np.testing.assert_allclose(found, direct(path, signal, "last"), rtol=0, atol=1e-5)
    assert np.abs(found - direct(hubert_layer, signal, "last")).max() > 1e-3


@pytest.mark.parametrize("norm", ["layer", "group"])
@pytest.mark.parametrize("seconds", [0.1, 1.0, 100.0])
def test_other_signals_in_the_batch_change_nothing(norm: str, seconds: float, request: pytest.FixtureRequest) -> None:
    path = request.getfixturevalue(f"hubert_{norm}")
    model = Encoder(Choice(str(path), "2"), "cpu", batch_seconds=seconds)
    batched = model(SIGNALS)
    alone = np.concatenate([model([signal]) for signal in SIGNALS])
    # Outputs reach 15, where float32 itself resolves 1e-6: rounding is allowed a few times that.
    np.testing.assert_allclose(batched, alone, rtol=1e-6, atol=1e-5)
    np.testing.assert_allclose(model(SIGNALS[::-1]), batched[::-1], rtol=0, atol=1e-5)


def test_padding_does_change_models_that_normalise_over_time(hubert_group: Path) -> None:
    """The reason for one window at a time: with batches, the test above would fail."""
    model = Encoder(Choice(str(hubert_group), "2"), "cpu")
    model._input = dataclasses.replace(model._input, alone=False)
    assert np.abs(model(SIGNALS[:2])[1] - direct(hubert_group, SIGNALS[1], "2")).max() > 1e-4


def test_an_utterance_up_to_a_chunk_is_computed_as_a_whole(hubert_layer: Path) -> None:
    signal = tone(10.0)
    found = Encoder(Choice(str(hubert_layer), chunk_seconds=10), "cpu")([signal])[0]
    np.testing.assert_allclose(found, direct(hubert_layer, signal, "last"), rtol=0, atol=1e-5)


def test_windows_of_a_long_utterance_come_close_to_the_whole(hubert_layer: Path) -> None:
    rng = np.random.default_rng(0)
    long = np.concatenate([tone(1, hertz=hertz, seed=i) for i, hertz in enumerate(rng.uniform(80, 400, 35))])
    whole = direct(hubert_layer, long, "last")
    found = Encoder(Choice(str(hubert_layer), chunk_seconds=10), "cpu")([long, tone(0.5)])
    others = Encoder(Choice(str(hubert_layer)), "cpu")([tone(1, hertz=hertz) for hertz in (80, 200, 400)])
    # The error of chunks is not zero, and small compared with differences between utterances.
    assert 0 < np.abs(found[0] - whole).max() < np.ptp(others, axis=0).max() / 5
    # Before attention, with nothing but convolutions in sight, windows are exact.
    choice = Choice(str(hubert_layer), "0", chunk_seconds=10)
    exact = Encoder(choice, "cpu")([long])[0]
    np.testing.assert_allclose(exact, direct(hubert_layer, long, "0"), rtol=0, atol=1e-5)


@settings(max_examples=50, deadline=None)
@given(samples=st.integers(400, 4_000_000), chunk=st.integers(10, 60))
def test_windows_take_every_frame_once(samples: int, chunk: int, hubert_layer: Path) -> None:
    if not hasattr(test_windows_take_every_frame_once, "model"):
        test_windows_take_every_frame_once.model = Encoder(Choice(str(hubert_layer)), "cpu")
    model = test_windows_take_every_frame_once.model
    model._chunk = model._frames.count(chunk * 16_000)
    signal = np.broadcast_to(np.float32(0), samples)
    taken = []
    for _, begin, end, first, last in model._windows([signal]):
        assert 0 <= begin < end <= samples
        assert end - begin <= chunk * 16_000
        assert begin % 320 == 0
        assert 0 <= first < last <= model._frames.count(end - begin)
        taken += range(begin // 320 + first, begin // 320 + last)
        assert first >= 100 or begin == 0
    assert taken == list(range(model._frames.count(samples)))


def test_recipes_of_different_models_differ(hubert_layer: Path, hubert_group: Path) -> None:
    one, other = (Encoder(Choice(str(path)), "cpu").recipe for path in (hubert_layer, hubert_group))
    assert one["parameters"] != other["parameters"]
    assert one == Encoder(Choice(str(hubert_layer)), "cpu").recipe
    assert json.loads(json.dumps(one)) == one
    assert {"model", "layer", "weights", "chunk_seconds", "versions"} <= set(one)


@pytest.mark.parametrize("layer", ["4", "-1", "first", "1.5", ""])
def test_a_missing_layer_is_refused(layer: str, hubert_layer: Path) -> None:
    with pytest.raises(BadModel, match=f"no layer {layer}: choose last, second-to-last, weighted, or 0 to 3"):
        Encoder(Choice(str(hubert_layer), layer), "cpu")


@pytest.mark.parametrize("weights", [(1.0,), (1.0, -1.0, 0.0, 0.0), (float("nan"),) * 4, (float("inf"), 0, 0, 0)])
def test_invalid_weights_are_refused(weights: tuple[float, ...], hubert_layer: Path) -> None:
    with pytest.raises(BadModel, match="it needs 4 of sum above 0"):
        Encoder(Choice(str(hubert_layer), "weighted", weights), "cpu")


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory."), RuntimeError("DefaultCPUAllocator: can't allocate memory")]
)
def test_too_little_memory_is_named(error: RuntimeError, hubert_layer: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = Encoder(Choice(str(hubert_layer)), "cpu")

    def fails(*_: object) -> None:
        raise error

    monkeypatch.setattr(model, "_sums", fails)
    with pytest.raises(TooLittleMemory, match=r"of cpu is too small for 5 windows at once: .* smaller --batch"):
        model(SIGNALS)
    monkeypatch.setattr(error, "args", ("shapes differ",))
    with pytest.raises(BadModel, match=r"fails on 5 windows of speech \(shapes differ\): fetch it again"):
        model(SIGNALS)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_a_missing_device_is_refused(hubert_layer: Path) -> None:
    with pytest.raises(MissingDevice):
        Encoder(Choice(str(hubert_layer)), "cuda")


@pytest.mark.gpu
def test_a_gpu_computes_the_same(hubert_layer: Path) -> None:
    found = Encoder(Choice(str(hubert_layer), "weighted"), "cuda")(SIGNALS)
    np.testing.assert_allclose(found, Encoder(Choice(str(hubert_layer), "weighted"), "cpu")(SIGNALS), rtol=0, atol=1e-4)
