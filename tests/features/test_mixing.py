from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soxr

from replicate.errors import BadAudio
from replicate.features import audio, mixing
from tests.recordings import tone, write_wav


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100])
def test_channels_are_read_one_by_one_or_all_at_once(
    rate: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mixing, "_BLOCK_SECONDS", 1)
    channels = [tone(2.3, rate, hertz, seed) for seed, hertz in enumerate((200, 300, 500))]
    path = write_wav(tmp_path / "a.wav", np.stack(channels, 1), rate, "FLOAT")
    expected = [soxr.resample(one, rate, audio.RATE) if rate != audio.RATE else one for one in channels]
    everything = np.concatenate(list(audio.blocks(path)))
    assert everything.shape[1] == 3
    for channel, samples in enumerate(expected):
        # The resampler of blocks may end a sample earlier or later.
        one = audio.decode(path, channel=channel).samples
        assert abs(len(one) - len(samples)) <= 1 and abs(len(everything) - len(samples)) <= 1
        shortest = min(len(one), len(samples), len(everything))
        np.testing.assert_allclose(one[:shortest], samples[:shortest], atol=1e-4)
        np.testing.assert_allclose(everything[:shortest, channel], samples[:shortest], atol=1e-4)


def test_a_channel_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "a.wav", tone(0.2))
    with pytest.raises(BadAudio, match=r"a\.wav has no channel 2, only 1"):
        audio.decode(path, channel=1)


def test_one_channel_of_several_cancels_nothing(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "a.wav", np.stack([tone(0.2), -tone(0.2)], 1))
    assert not audio.decode(path, channel=1).cancelled
    with pytest.raises(BadAudio, match="cancel each other"):
        audio.decode(path)
