"""The bundle that is part of the package: complete, small, and what its card says."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from docs.build_demo import LARGEST
from export.bundle import bundle
from export.bundle_files import WAV, WAV_STREAM
from export.demo.shipped import BUNDLE, limits
from export.model_file import Model
from export.predictor import Predictor
from tests.recordings import tone


def test_it_is_small_and_has_every_file():
    names = {path.name for path in BUNDLE.iterdir()}
    assert {"model.onnx", "model.stream.onnx", WAV, WAV_STREAM, "README.md", "predict.py"} <= names
    assert sum(path.stat().st_size for path in BUNDLE.rglob("*") if path.is_file()) <= LARGEST == 1_500_000


def test_every_check_passes_without_its_corpus():
    found = bundle.check(BUNDLE, None)
    assert [check for check in found if check.passed is False] == []
    assert sum("against PyTorch" in check.name for check in found) == 2


def test_its_card_names_training_score_licence_and_limits():
    card = (BUNDLE / "README.md").read_text(encoding="utf-8")
    for words in ("make demo DATA=FOLDER", "over 10 seeds", "cc-by-nc-sa-4.0", "CC BY-NC-SA 4.0", "acted", "Not for"):
        assert words in card, words


def test_its_limits_name_the_licence_of_the_weights():
    assert limits(BUNDLE, Predictor(BUNDLE).metadata).endswith(" Weights: CC-BY-NC-SA-4.0, as RAVDESS.")


@pytest.mark.parametrize(("card", "end"), [
    ("---\nlicense: apache-2.0\n---\n", "itself. Weights: apache-2.0."),
    ("---\nlicense: cc-by-4.0\n---\n", "itself. Weights: CC-BY-4.0."),
    ("---\nlicense: <b>\n---\n", "itself."), ("---\ntags: a\n---\nlicense: mit\n", "itself."), ("", "itself."),
])  # fmt: skip
def test_licences_of_other_bundles(tmp_path, card, end):
    (tmp_path / "README.md").write_text(card)
    assert limits(tmp_path, {"corpus": {"name": "calls"}}).endswith(end)


def test_a_sound_has_the_same_probabilities_from_features_and_from_its_waveform():
    predictor, signal = Predictor(BUNDLE), tone(1.0)
    model = Model(BUNDLE / WAV, wave=True)
    given = {"waveform": signal[None], "samples": np.array([len(signal)]), "speaker": np.array([0])}
    probability, features = model.run(given)
    assert np.allclose(predictor(features, ["first"]).probabilities, probability, rtol=0, atol=1e-4)


@pytest.mark.slow
def test_its_script_needs_the_bundle_alone(tmp_path):
    features = ",".join(f"f{i}" for i in range(163))
    (tmp_path / "one.csv").write_text(f"dialogue,speaker,{features}\na,first,{','.join(['0'] * 163)}\n")
    run = subprocess.run(
        [sys.executable, "-I", str(Path(BUNDLE) / "predict.py"), str(tmp_path / "one.csv")],
        capture_output=True, text=True, cwd=tmp_path, timeout=60,
    )  # fmt: skip
    assert run.returncode == 0 and "first" in run.stdout
