"""The JavaScript example gives what Predictor gives, in node with onnxruntime-node or onnxruntime-web."""

import json
import shutil
import subprocess

import numpy as np
import pytest

from tests.export.examples.conftest import BAD_WAV, EXAMPLES

SCRIPT = EXAMPLES / "javascript" / "predict.js"


def node(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = ["node", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=SCRIPT.parent)


@pytest.fixture(scope="module", autouse=True)
def package():
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    found = [
        name for name in ("onnxruntime-node", "onnxruntime-web") if not node("-e", f"require('{name}')").returncode
    ]
    if not found:
        pytest.skip(
            "neither onnxruntime-node nor onnxruntime-web: npm install --prefix DIR, and NODE_PATH=DIR/node_modules"
        )


def test_probabilities_are_those_of_predictor(dialogue):
    given = [f"{speaker}={path}" for speaker, path in zip(dialogue.speakers, dialogue.files, strict=True)]
    found = node(SCRIPT, dialogue.bundle, *given)
    assert (found.returncode, found.stderr) == (0, "")
    rows = json.loads(found.stdout)
    np.testing.assert_allclose(
        [list(row["probabilities"].values()) for row in rows], dialogue.expected, rtol=0, atol=1e-4
    )
    assert [row["speaker"] for row in rows] == dialogue.speakers


@pytest.mark.parametrize("name", BAD_WAV)
def test_a_damaged_file_is_refused_in_one_line(name, dialogue, tmp_path):
    (tmp_path / "x.wav").write_bytes(BAD_WAV[name])
    found = node(SCRIPT, dialogue.bundle, f"F={tmp_path / 'x.wav'}")
    assert (found.returncode, found.stdout) == (1, "")
    assert found.stderr.startswith("error: ") and found.stderr.count("\n") == 1


def test_a_wrong_speaker_is_refused(dialogue):
    found = node(SCRIPT, dialogue.bundle, f"Nobody={dialogue.files[0]}")
    assert found.returncode == 1 and "a speaker of M,F" in found.stderr
