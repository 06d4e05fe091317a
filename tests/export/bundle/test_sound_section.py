"""The card's examples for sound as input: run as they are written."""

import ast
import re
import shutil
import subprocess
import sys
import wave

import numpy as np
import onnx
import pytest

from export.bundle import sound_section
from export.bundle_files import WAV, WAV_STREAM
from export.predictor import Predictor
from replicate.features.acoustic import AcousticExtractor
from tests.export.conftest import ACOUSTIC
from tests.recordings import tone

SIGNALS = [(tone(seconds, hertz=hertz) * 32767).astype("<i2") for seconds, hertz in ((0.4, 220), (0.9, 330))]


@pytest.fixture
def section(wav_bundle):
    card = (wav_bundle.folder / "README.md").read_text(encoding="utf-8")
    return card.partition("## Sound as input\n")[2].partition("\n## ")[0]


def test_the_examples_predict_what_the_predictor_does_from_features(wav_bundle, section, tmp_path):
    for number, signal in enumerate(SIGNALS, 1):
        with wave.open(str(tmp_path / f"{number}.wav"), "wb") as file:
            file.setparams((1, 2, 16_000, 0, "NONE", ""))
            file.writeframes(signal.tobytes())
    for name in (WAV, WAV_STREAM):
        shutil.copy(wav_bundle.folder / name, tmp_path)
    code = "\n".join(re.findall(r"```python\n(.*?)```", section, re.DOTALL))
    nodes = [*ast.walk(ast.parse(code))]
    assert not [node for node in nodes if isinstance(node, ast.ImportFrom)]
    imported = {name.name for node in nodes if isinstance(node, ast.Import) for name in node.names}
    assert imported == {"json", "wave", "numpy", "onnxruntime"}
    done = subprocess.run([sys.executable, "-I", "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    known = AcousticExtractor().recipe["columns"]
    features = AcousticExtractor()([signal.astype(np.float32) / 32768 for signal in SIGNALS])
    expected = Predictor(wav_bundle.folder)(features[:, [known.index(name) for name in ACOUSTIC]], ["M", "F"])
    found = [line.split() for line in done.stdout.splitlines()]
    assert [label for label, _ in found] == [*expected.emotions] * 2
    sure = expected.probabilities.max(1)
    assert np.allclose([float(number) for _, number in found], [*sure, *sure], rtol=0, atol=1e-4)


def test_inputs_and_outputs_have_names_and_shapes(section):
    cells = [[cell.strip() for cell in line.split("|")[1:3]] for line in section.splitlines() if "put `" in line]
    whole, stream = cells[:5], cells[5:]
    assert whole == [
        ["input `waveform`", "utterances × time"],
        ["input `samples`", "utterances"],
        ["input `speaker`", "utterances"],
        ["output `probability`", "utterances × 4"],
        ["output `features`", f"utterances × {len(ACOUSTIC)}"],
    ]
    names, (state,) = [name for name, _ in stream], {shape for name, shape in stream if "state" in name}
    assert names[3:5] == ["input `state`", "output `probability`"] and f"np.zeros({state}, " in section


def test_bundles_without_sound_have_no_such_section(smoke_bundle):
    assert "Sound as input" not in (smoke_bundle.folder / "README.md").read_text(encoding="utf-8")


def test_the_example_knows_a_model_of_one_speaker(wav_bundle, tmp_path):
    model = onnx.load(wav_bundle.folder / WAV)
    (entry,) = (one for one in model.metadata_props if one.key == "speakers")
    entry.value = '["A"]'
    onnx.save(model, tmp_path / WAV)
    assert "speakers = np.array([0, 0]" in sound_section.section(tmp_path)


def test_a_bundle_of_whole_dialogues_has_the_first_example_alone(wav_bundle, tmp_path):
    shutil.copy(wav_bundle.folder / WAV, tmp_path)
    assert WAV_STREAM not in sound_section.section(tmp_path)
