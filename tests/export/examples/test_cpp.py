"""The C++ example compiles without warnings, and gives what Predictor gives."""

import csv
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from tests.export.examples.conftest import BAD_WAV, EXAMPLES

HEADERS = Path(__file__).parent / "headers"


def run(*command: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="module")
def program(tmp_path_factory) -> Path:
    """Built with the headers in ONNXRUNTIME_ROOT, else those of the tests and the library in the Python package."""
    build = tmp_path_factory.mktemp("build")
    compiler = shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        pytest.skip("there is no C++ compiler")
    root = os.environ.get("ONNXRUNTIME_ROOT")
    found = [*Path(root, "lib").glob("libonnxruntime.so*")] if root else []
    found = found or [*(Path(onnxruntime.__file__).parent / "capi").glob("libonnxruntime.so*")]
    if not found:
        pytest.skip("onnxruntime's shared library is not in its package here: set ONNXRUNTIME_ROOT")
    for name in ("libonnxruntime.so", "libonnxruntime.so.1"):
        (build / name).symlink_to(found[0].resolve())
    headers = Path(root, "include") if root else HEADERS
    if shutil.which("cmake"):
        place = (f"-DONNXRUNTIME_INCLUDE={headers}", f"-DONNXRUNTIME_LIBRARY={build / 'libonnxruntime.so'}")
        flags = "-DCMAKE_CXX_FLAGS=-Wall -Wextra -Werror"
        steps = [("cmake", "-S", EXAMPLES / "cpp", "-B", build, flags, *place), ("cmake", "--build", build)]
    else:
        link = (f"-L{build}", "-lonnxruntime", f"-Wl,-rpath,{build}", "-o", build / "predict")
        steps = [(compiler, "-std=c++17", "-Wall", "-Wextra", "-I", headers, EXAMPLES / "cpp" / "main.cpp", *link)]
    for step in steps:
        done = run(*step)
        assert done.returncode == 0, done.stdout + done.stderr
    return build / "predict"


def probabilities(done: subprocess.CompletedProcess[str]) -> tuple[list[list[str]], np.ndarray]:
    assert (done.returncode, done.stderr) == (0, "")
    head, *rows = csv.reader(done.stdout.splitlines())
    assert head[:4] == ["dialogue", "utterance", "speaker", "label"]
    values = np.array([row[4:] for row in rows], float)
    assert [row[3] for row in rows] == [head[4 + i] for i in values.argmax(1)]
    return [row[:3] for row in rows], values


@pytest.mark.slow
def test_waveforms_give_what_predictor_gives(program, dialogue):
    given = [f"{speaker}={path}" for speaker, path in zip(dialogue.speakers, dialogue.files, strict=True)]
    rows, found = probabilities(run(program, dialogue.bundle, *given))
    assert rows == [["1", "1", "M"], ["1", "2", "F"], ["1", "3", "M"]]
    np.testing.assert_allclose(found, dialogue.expected, rtol=0, atol=1e-4)


def test_features_of_dialogues_give_what_predictor_gives(program, dialogue, tmp_path):
    lines = ["dialogue,speaker" + ",f" * dialogue.features.shape[1]]
    for name in ("a", "=漢"):
        for speaker, row in zip(dialogue.speakers, dialogue.features, strict=True):
            lines.append(",".join([name, speaker, *map(str, row.tolist())]))
    (tmp_path / "x.csv").write_text("\r\n".join(lines) + "\r\n", encoding="utf-8")
    rows, found = probabilities(run(program, dialogue.bundle, tmp_path / "x.csv"))
    assert [row[0] for row in rows] == ["1"] * 3 + ["2"] * 3
    np.testing.assert_allclose(found, np.concatenate([dialogue.expected] * 2), rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", BAD_WAV)
def test_a_damaged_file_is_refused_in_one_line(name, program, dialogue, tmp_path):
    (tmp_path / "x.wav").write_bytes(BAD_WAV[name])
    refused(run(program, dialogue.bundle, f"F={tmp_path / 'x.wav'}"))


@pytest.mark.parametrize(
    "text", ["", "h\na,F,1", "h\na,F,x,1,1,1,1", "h\na,F,nan,1,1,1,1", "h\na,X,1,1,1,1,1", 'h\n"a"']
)
def test_wrong_features_are_refused_in_one_line(text, program, dialogue, tmp_path):
    (tmp_path / "x.csv").write_text(text)
    done = run(program, dialogue.bundle, tmp_path / "x.csv")
    if text:
        refused(done)
    else:
        assert done.returncode == 0 and done.stdout.count("\n") == 1


def test_what_is_not_there_is_named(program, dialogue, tmp_path):
    refused(run(program, tmp_path, "x.csv"), f"there is no {tmp_path / 'model.onnx'}")
    refused(run(program, dialogue.bundle, "F=absent.wav"), "cannot read absent.wav")
    refused(run(program, dialogue.bundle, tmp_path), "cannot read")
    assert run(program).returncode == 2


def refused(done: subprocess.CompletedProcess[str], words: str = "") -> None:
    assert done.returncode == 1 and done.stderr.startswith("error: ") and done.stderr.count("\n") == 1, done
    assert words in done.stderr
