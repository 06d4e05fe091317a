"""Acoustic functionals: against a Fourier transform of numpy, tones of known pitch, and whatever is padded."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from replicate.errors import NotThisFormat
from replicate.features import acoustic
from replicate.features.acoustic import Acoustic, AcousticExtractor, columns
from replicate.features.extract import from_recipe
from tests.recordings import tone

MODEL = Acoustic().eval()


def features(*signals: NDArray[np.float32], fill: float = 0.0) -> NDArray[np.float32]:
    """Functionals of one padded batch."""
    lengths = [len(signal) for signal in signals]
    wave = np.full((len(signals), max(lengths)), fill, np.float32)
    for row, signal in zip(wave, signals, strict=True):
        row[: len(signal)] = signal
    with torch.no_grad():
        return MODEL(torch.from_numpy(wave), torch.tensor(lengths)).numpy()


def value(vector: NDArray[np.float32], name: str) -> float:
    return float(vector[columns().index(name)])


def noise(seconds: float, scale: float = 0.1, seed: int = 0) -> NDArray[np.float32]:
    return (scale * np.random.default_rng(seed).standard_normal(round(16_000 * seconds))).astype(np.float32)


def test_every_column_has_a_name_of_its_own():
    assert len(set(columns())) == len(columns()) == features(noise(0.1)).shape[1]


def test_mel_bands_are_those_of_a_fourier_transform():
    signal = noise(0.5)
    frames = np.lib.stride_tricks.sliding_window_view(signal, 400)[::160]
    power = np.abs(np.fft.rfft(frames * np.hanning(402)[1:-1], 512)) ** 2 / 400
    corners = np.interp(  # the inverse of the mel scale, by a table
        np.linspace(2595 * np.log10(1 + 50 / 700), 2595 * np.log10(1 + 7800 / 700), 42),
        2595 * np.log10(1 + np.arange(0, 8001, 0.5) / 700),
        np.arange(0, 8001, 0.5),
    )
    found = features(signal)[0]
    for band in (1, 7, 20, 39):
        left, middle, right = corners[band : band + 3]
        weights = np.interp(np.arange(257) * 31.25, [left, middle, right], [0, 1, 0], 0, 0)
        levels = np.log(power @ weights / weights.sum() + 1e-7)
        # All frames of noise are speech, in about equal shares.
        assert value(found, f"mel{band + 1} mean") == pytest.approx(levels.mean(), abs=0.05)
        assert value(found, f"mel{band + 1} deviation") == pytest.approx(levels.std(), rel=0.1)


@pytest.mark.parametrize("hertz", [80, 130, 220, 410])
def test_the_pitch_of_a_voice_is_found(hertz):
    time = np.arange(16_000) / 16_000
    voice = sum(np.sin(2 * np.pi * hertz * harmonic * time) / harmonic for harmonic in range(1, 8))
    found = features((0.1 * voice).astype(np.float32))[0]
    assert value(found, "pitch mean") == pytest.approx(np.log2(hertz / 100), abs=0.06)
    assert value(found, "voiced share") > 0.9 and value(found, "pitch deviation") < 0.15
    assert value(found, "pitch low") - 0.01 <= value(found, "pitch mean") <= value(found, "pitch high") + 0.01


def test_noise_has_no_voice_and_a_louder_signal_the_same_pitch():
    assert value(features(noise(1.0))[0], "voiced share") < 0.2
    soft, loud = features(tone(0.5), 2 * tone(0.5))
    assert value(loud, "loudness mean") - value(soft, "loudness mean") == pytest.approx(np.log(4), abs=0.01)
    assert value(loud, "pitch mean") == pytest.approx(value(soft, "pitch mean"), abs=0.01)


def test_pauses_do_not_count():
    speech, pause = noise(0.5), np.zeros(8_000, np.float32)
    alone, among = features(speech, np.concatenate([pause, speech, pause]))
    for name in ("mel10 mean", "loudness mean"):
        assert value(among, name) == pytest.approx(value(alone, name), abs=0.25)
    assert value(among, "speech share") == pytest.approx(1 / 3, abs=0.05)


@given(
    st.lists(st.integers(1, 9_000), min_size=1, max_size=4),
    st.sampled_from([0.0, 1e-6, 0.1, 30.0]),
    st.integers(0, 99),
)
@settings(max_examples=25, deadline=None)
def test_padding_and_the_rest_of_a_batch_change_nothing(lengths, scale, seed):
    signals = [noise(length / 16_000, scale, seed + i) for i, length in enumerate(lengths)]
    together = features(*signals, fill=5.0)
    assert np.isfinite(together).all()
    for signal, vector in zip(signals, together, strict=True):
        np.testing.assert_allclose(vector, features(signal)[0], atol=2e-4, rtol=1e-4)


def test_the_extractor_is_the_one_of_its_recipe():
    extractor = AcousticExtractor()
    signals = [tone(0.3), tone(0.2, hertz=400)]
    found = extractor(signals)
    assert found.dtype == np.float32 and found.shape == (2, len(extractor.recipe["columns"]))
    np.testing.assert_array_equal(found[1], extractor(signals[1:])[0])
    again = from_recipe(extractor.recipe)
    np.testing.assert_array_equal(again(signals), found)
    with pytest.raises(NotThisFormat, match="version 7 of the acoustic functionals"):
        from_recipe(extractor.recipe | {"version": 7})


@pytest.mark.slow
def test_emotions_are_found_about_as_well_as_from_egemaps(shared_data):
    """On real clips, by logistic regression in cross-validation over actors and on six actors of the test split."""
    import csv

    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import f1_score
    from sklearn.model_selection import GroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from replicate.features import audio, smile

    folder = shared_data / "ravdess" / "recordings"
    rows = list(csv.DictReader((folder / "utterances.csv").open()))
    signals = [audio.load(folder / f"{row['utterance']}.flac") for row in rows]
    labels = np.array([row["label"] for row in rows])
    actors = np.array([row["dialogue"][:7] for row in rows])
    train, test = (np.array([row["split"] == split for row in rows]) for split in ("train", "test"))
    scores = {}
    for extractor in (acoustic.AcousticExtractor(), smile.Smile()):
        x = extractor(signals)
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=3000))
        crossed = cross_val_predict(model, x, labels, groups=actors, cv=GroupKFold(8))
        unseen = model.fit(x[train], labels[train]).predict(x[test])
        scores[extractor.recipe["extractor"]] = (
            f1_score(labels[test], unseen, average="weighted"),
            f1_score(labels, crossed, average="weighted"),
        )
    print(scores)
    ours, others = scores["acoustic"], scores["opensmile"]
    assert ours[0] > others[0] - 0.03 and ours[1] > others[1] - 0.03 and min(ours) > 0.6
