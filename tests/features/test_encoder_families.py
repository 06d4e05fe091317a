"""Speech encoders of every family give what transformers itself computes, alone and in batches."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from transformers import AutoFeatureExtractor, AutoModel, HubertModel, WhisperFeatureExtractor

from replicate.corpus.provenance import ENCODERS
from replicate.errors import BadModel
from replicate.features import checkpoint
from replicate.features.encoder import Choice, Encoder
from replicate.features.extract import from_recipe
from tests.recordings import save_hubert, save_speech_encoder, save_w2v_bert, save_whisper, tone

SIGNALS = [tone(seconds, seed=i, hertz=100 + 50 * i) for i, seconds in enumerate((0.5, 0.31, 0.035, 0.9, 0.31))]
WAVEFORMS = [(kind, "layer") for kind in sorted(ENCODERS) if kind not in ("whisper", "wav2vec2-bert")]
WAVEFORMS += [("hubert", "group"), ("wav2vec2", "group"), ("wavlm", "group")]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Path]:
    root = tmp_path_factory.mktemp("models")
    found = {(kind, norm): save_speech_encoder(root / f"{kind}-{norm}", kind, norm) for kind, norm in WAVEFORMS}
    others = {"whisper": save_whisper(root / "whisper"), "wav2vec2-bert": save_w2v_bert(root / "bert")}
    return found | {(kind, "layer"): path for kind, path in others.items()}


def direct(path: Path, signal: NDArray[np.float32], layer: int) -> NDArray[np.float32]:
    """The same features by transformers alone: one signal, as a whole, without what is padding."""
    model = AutoModel.from_pretrained(path, dtype=torch.float32).eval()
    inputs = AutoFeatureExtractor.from_pretrained(path)(signal, sampling_rate=16_000, return_tensors="pt")
    with torch.no_grad():
        if model.config.model_type == "whisper":
            found = model.get_encoder()(inputs.input_features, output_hidden_states=True)
            frames = -(-len(signal) // 320)
        elif model.config.model_type == "wav2vec2-bert":
            found = model(**inputs, output_hidden_states=True)
            frames = int(inputs.attention_mask.sum())
        else:
            found = model(inputs.input_values, output_hidden_states=True)
            frames = found.last_hidden_state.shape[1]
    states = [*found.hidden_states[:-1], found.last_hidden_state]
    assert len(states) == 4
    return states[layer][0, :frames].mean(0).numpy()


@pytest.mark.parametrize(("kind", "norm"), [*WAVEFORMS, ("whisper", "layer"), ("wav2vec2-bert", "layer")])
@pytest.mark.parametrize(("layer", "number"), [("last", 3), ("second-to-last", 2), ("0", 0)])
def test_vectors_are_those_of_transformers(
    kind: str, norm: str, layer: str, number: int, models: dict[tuple[str, str], Path]
) -> None:
    path = models[kind, norm]
    model = Encoder(Choice(str(path), layer, chunk_seconds=10), "cpu", batch_seconds=25)
    found = model(SIGNALS)
    assert (found.shape, found.dtype) == ((5, 16), np.float32)
    for signal, vector in zip(SIGNALS, found, strict=True):
        np.testing.assert_allclose(vector, direct(path, signal, number), rtol=1e-5, atol=2e-5)
    assert np.ptp(found, axis=0).min() > 1e-3  # the vectors differ
    np.testing.assert_allclose(model(SIGNALS[3:])[::-1], found[:2:-1], rtol=1e-5, atol=2e-5)
    assert model.shortest == (560 if kind == "wav2vec2-bert" else 400)


@pytest.mark.parametrize("kind", [kind for kind, norm in WAVEFORMS if norm == "layer"])
def test_padding_changes_nothing_or_models_get_one_window_at_a_time(
    kind: str, models: dict[tuple[str, str], Path]
) -> None:
    model = Encoder(Choice(str(models[kind, "layer"])), "cpu")
    alone = model(SIGNALS[1:2])
    needed = model._input.alone
    model._input = replace(model._input, alone=False)
    moved = np.abs(model(SIGNALS)[1:2] - alone).max()
    assert moved > 1e-3 if needed else moved < 2e-5
    assert needed == (kind in ("data2vec-audio", "wav2vec2-conformer"))


def test_batch_normalised_positions_get_one_window_at_a_time(tmp_path: Path) -> None:
    path = save_speech_encoder(tmp_path / "model", "hubert", "layer", conv_pos_batch_norm=True)
    assert checkpoint.load(str(path)).input.alone


@pytest.mark.parametrize("bands", [80, 128])
def test_whisper_of_a_long_utterance(bands: int, tmp_path: Path) -> None:
    path = save_whisper(tmp_path / "model", bands=bands)
    model = Encoder(Choice(str(path), chunk_seconds=10), "cpu")
    hertz = np.random.default_rng(0).uniform(80, 400, 25)
    long = np.concatenate([tone(1, hertz=each, seed=i) for i, each in enumerate(hertz)])[:-100]
    windows = [*model._windows([long])]
    frames = [begin // 320 + one for _, begin, _, first, last in windows for one in range(first, last)]
    assert frames == list(range(1250)) and {begin % 320 for _, begin, *_ in windows} == {0}
    assert max(end - begin for _, begin, end, _, _ in windows) == 160_000 and windows[-1].end == len(long)
    wanted = np.zeros(16)
    for _, begin, end, first, last in windows:
        piece = WhisperFeatureExtractor.from_pretrained(path)(
            long[begin:end], sampling_rate=16_000, return_tensors="pt"
        )
        with torch.no_grad():
            states = AutoModel.from_pretrained(path).eval().get_encoder()(piece.input_features).last_hidden_state
        wanted += states[0, first:last].double().sum(0).numpy() / 1250
    np.testing.assert_allclose(model([SIGNALS[0], long])[1], wanted, rtol=1e-5, atol=2e-5)


def test_whisper_refuses_windows_that_it_cannot_take(tmp_path: Path) -> None:
    path = save_whisper(tmp_path / "model")
    with pytest.raises(BadModel, match=r"takes windows of up to 10 s, not 30: choose a shorter --chunk"):
        Encoder(Choice(str(path)), "cpu")
    WhisperFeatureExtractor(feature_size=80, chunk_length=20).save_pretrained(path)
    with pytest.raises(BadModel, match=r"takes 80 mel bands and 160000 samples, its .* gives 80 and 320000"):
        checkpoint.load(str(path))


def test_w2v_bert_of_a_long_utterance_takes_every_frame_once(tmp_path: Path) -> None:
    path = save_w2v_bert(tmp_path / "model")
    model = Encoder(Choice(str(path), chunk_seconds=10), "cpu")
    long = tone(25.0)[:-77]
    frames = []
    for _, begin, end, first, last in model._windows([long]):
        given = model._input([long[begin:end]])
        assert int(given["attention_mask"].sum()) == model._frames.count(end - begin) and end <= len(long)
        frames += range(begin // 320 + first, begin // 320 + last)
    assert frames == list(range(model._frames.count(len(long))))
    assert np.isfinite(model([long])).all()
    config = json.loads((path / "config.json").read_text())
    (path / "preprocessor_config.json").write_text(json.dumps({"num_mel_bins": 40, "sampling_rate": 16_000}))
    with pytest.raises(BadModel, match=f"takes {config['feature_projection_input_dim']} values a frame, .* gives 80"):
        checkpoint.load(str(path))


def test_whisper_needs_no_decoder(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    path = save_whisper(tmp_path / "model")
    before = checkpoint.fingerprint(checkpoint.load(str(path)).model)
    weights = path / "model.safetensors"
    save_file({k: v for k, v in load_file(weights).items() if "decoder" not in k}, weights, {"format": "pt"})
    assert checkpoint.fingerprint(checkpoint.load(str(path)).model) == before


def test_an_adapter_after_the_last_layer_is_not_used(tmp_path: Path) -> None:
    path = save_speech_encoder(tmp_path / "model", "wav2vec2", add_adapter=True, output_hidden_size=16)
    found = Encoder(Choice(str(path)), "cpu")(SIGNALS[:1])
    config = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps(config | {"add_adapter": False}))
    np.testing.assert_allclose(found[0], direct(path, SIGNALS[0], 3), rtol=1e-5, atol=2e-5)


def test_recipes_name_the_family_and_can_be_repeated(models: dict[tuple[str, str], Path]) -> None:
    made = Encoder(Choice(str(models["whisper", "layer"]), chunk_seconds=10), "cpu")
    assert (made.recipe["extractor"], made.recipe["type"]) == ("encoder", "whisper")
    again = from_recipe(json.loads(json.dumps(made.recipe)), "cpu")
    assert again.recipe == made.recipe
    np.testing.assert_array_equal(again(SIGNALS), made(SIGNALS))


# Parameters and first columns that version 1.0 of this package computed, before other encoders were known.
GOLDEN = {
    "layer": (
        "d86d4f3aefac51fd7fcf399db62bbe14f99041687b8f024adb384f1257486f3d",
        [[-0.78687888, -0.98925596, -0.15986843, -0.52421892], [-0.78013968, -0.99061835, -0.16850045, -0.52167213]],
    ),
    "group": (
        "a9387058517ca379b94fa202629d48bc5acef5ec85f3553f3b50da50ee86e191",
        [[-0.92640364, -0.13400315, -0.20980113, 0.54204565], [-0.89705408, -0.13617729, -0.21956168, 0.53337735]],
    ),
}


@pytest.mark.parametrize("norm", GOLDEN)
def test_recipes_and_numbers_of_hubert_are_those_of_earlier_versions(norm: str, tmp_path: Path) -> None:
    path = save_hubert(tmp_path / "model", norm)
    model, draws = HubertModel.from_pretrained(path), np.random.default_rng(0)
    for _, values in sorted(model.state_dict().items()):
        values.copy_(torch.from_numpy(draws.normal(0, 0.3, tuple(values.shape)).astype(np.float32)))
    model.save_pretrained(path)
    parameters, numbers = GOLDEN[norm]
    recipe = {
        **{"extractor": "hubert", "model": str(path), "parameters": parameters, "layer": "weighted"},
        **{"weights": [0, 1, 2, 5], "chunk_seconds": 10.0, "context_seconds": 2.0, "rate": 16_000},
    }
    found = from_recipe(recipe | {"versions": {"torch": "2.13.0+cpu"}}, "cpu")
    assert {name: value for name, value in found.recipe.items() if name != "versions"} == recipe
    vectors = found([tone(0.5), tone(12.0, hertz=150)])
    np.testing.assert_allclose(vectors[:, :4], numbers, rtol=0, atol=1e-5)
