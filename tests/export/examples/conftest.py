from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from export import Predictor
from replicate.features import audio
from replicate.features.acoustic import AcousticExtractor
from tests.export.conftest import ACOUSTIC
from tests.recordings import tone, write_wav

EXAMPLES = Path(__file__).parents[3] / "export" / "examples"
BAD_WAV = {
    "empty": b"",
    "text": b"no sound",
    "head": b"RIFF\x00\x00\x00\x00WAVE",
    "short format": b"RIFF\x10\x00\x00\x00WAVEfmt \x04\x00\x00\x00\x01\x00\x01\x00data\x04\x00\x00\x00\x00\x00\x00\x00",
    "endless": b"RIFF\xff\xff\xff\xffWAVEfmt \xff\xff\xff\xff" + bytes(64),
}


@dataclass
class Dialogue:
    """Utterances as WAV files, their features, and what Predictor gives for them."""

    bundle: Path
    speakers: list[str]
    files: list[Path]
    features: NDArray[np.float32]
    expected: NDArray[np.float32]


@pytest.fixture(scope="session")
def dialogue(wav_bundle, tmp_path_factory) -> Dialogue:
    root, speakers = tmp_path_factory.mktemp("waves"), ["M", "F", "M"]
    lengths = ((0.4, 220), (1.0, 330), (0.05, 150))
    files = [
        write_wav(root / f"{i}.wav", tone(one[0], hertz=one[1]), subtype="PCM_16") for i, one in enumerate(lengths)
    ]
    signals = [audio.load(path) for path in files]
    columns = AcousticExtractor().recipe["columns"]
    features = AcousticExtractor()(signals)[:, [columns.index(name) for name in ACOUSTIC]]
    expected = Predictor(wav_bundle.folder)(features, speakers).probabilities
    return Dialogue(wav_bundle.folder, speakers, files, features, expected)
