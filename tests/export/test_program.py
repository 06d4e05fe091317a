"""``predict.py`` as a program: what it needs, and how it ends."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import onnx
import pytest

from export import limited_session
from export.bundle import script
from export.onnx.builder import IR, OPSET
from tests.export import tiny_bundle

OLD = """
InferenceSession = None
__version__ = "1.17.3"
class SessionOptions:
    pass
def get_available_providers():
    return ["CPUExecutionProvider"]
"""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_bundle.write(tmp_path_factory.mktemp("tiny") / "bundle")


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    path = tmp_path / "in.csv"
    path.write_text(tiny_bundle.HEADER + "a,M,0,1\n")
    return path


def start(bundle: Path, *arguments: object, **options: Any) -> subprocess.Popen[bytes]:
    command = [sys.executable, str(bundle / "predict.py"), *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)


def run(bundle: Path, *arguments: object, given: bytes = b"", **options: Any) -> tuple[int, str, str]:
    process = start(bundle, *arguments, **options)
    out, err = process.communicate(given, 60)
    return process.returncode, out.decode(), err.decode()


def test_it_predicts(bundle: Path, csv: Path) -> None:
    expected = "dialogue,utterance,speaker,start,end,label,calm,excited\na,1,M,,,excited,0.268941,0.731059\n"
    assert run(bundle, csv) == (0, expected, "")
    assert run(bundle, "--stream", given=csv.read_bytes()) == (0, expected, "")


def test_the_versions_that_it_states_are_those_of_the_graph() -> None:
    # onnxruntime 1.17 refuses version 10 of the format, 1.18 gives the same as 1.31: measured with both.
    assert (IR, OPSET, limited_session.ONNXRUNTIME) == (10, 18, "1.18")
    text = script.text()
    assert text.count(f"onnxruntime {limited_session.ONNXRUNTIME} or newer") == 1
    ast.parse(text, feature_version=(3, 8))  # the first statements must run, to name the version


def test_an_older_python_is_named(bundle: Path) -> None:
    program = (
        "import runpy, sys; sys.version_info, sys.version = (3, 9, 18), '3.9.18 (main)';"
        f"runpy.run_path({str(bundle / 'predict.py')!r}, run_name='__main__')"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (found.returncode, found.stderr) == (1, "error: predict.py needs Python 3.10 or newer, and this is 3.9.18\n")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("raise ImportError('no onnxruntime here')", "needs numpy and onnxruntime (no onnxruntime here): pip install"),
        (OLD, "model.onnx: pip install 'onnxruntime>=1.18'"),
    ],
)
def test_a_missing_or_older_onnxruntime_is_named(
    content: str, words: str, bundle: Path, tmp_path: Path, csv: Path
) -> None:
    (tmp_path / "onnxruntime.py").write_text(content)
    status, out, err = run(bundle, csv, env={**os.environ, "PYTHONPATH": str(tmp_path)})
    assert (status, out) == (1, "")
    assert err.startswith("error: ") and err.count("\n") == 1 and words in err


def test_a_file_that_is_newer_than_onnxruntime_is_named(tmp_path: Path, csv: Path) -> None:
    status, _, err = run(tiny_bundle.write(tmp_path / "newer", ir=onnx.IR_VERSION + 50), csv)
    assert status == 1 and err.count("\n") == 1
    assert "is too old for" in err and "max supported IR version" in err and "pip install --upgrade onnxruntime" in err


def test_ctrl_c_ends_it_without_a_traceback(bundle: Path) -> None:
    process = start(bundle, "--stream")
    assert process.stdin and process.stdout
    process.stdin.write(tiny_bundle.HEADER.encode() + b"a,M,0,1\n")
    process.stdin.flush()
    assert process.stdout.readline().startswith(b"dialogue,")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, b"")


@pytest.mark.parametrize("seconds", [0.1, 0.3])
def test_ctrl_c_while_it_starts_prints_no_traceback(seconds: float, bundle: Path, csv: Path) -> None:
    process = start(bundle, "--stream")
    time.sleep(seconds)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    # Python itself may not have started yet.
    assert (process.returncode, err) == (130, b"") or b"predict.py" not in err


def test_a_closed_pipe_ends_it_quietly(bundle: Path) -> None:
    process = start(bundle, "--stream")
    assert process.stdin and process.stdout and process.stderr
    process.stdin.write(tiny_bundle.HEADER.encode() + b"a,M,0,1\n")
    process.stdin.flush()
    process.stdout.readline()
    process.stdout.close()
    try:
        process.stdin.write(b"a,M,0,1\n" * 1_000)
        process.stdin.close()
    except BrokenPipeError:
        pass
    assert process.wait(60) == 0
    assert process.stderr.read() == b""


@pytest.mark.parametrize("option", [(), ("--stream",)])
def test_a_full_disk_is_named(option: tuple[str, ...], bundle: Path, csv: Path) -> None:
    arguments = (*option, *(() if option else (csv,)))
    with Path("/dev/full").open("wb") as full:
        command = [sys.executable, str(bundle / "predict.py"), *map(str, arguments)]
        found = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, input=csv.read_bytes(), timeout=60)
    assert (found.returncode, found.stderr) == (1, b"error: [Errno 28] No space left on device\n")


def test_a_closed_stdin_is_named(bundle: Path) -> None:
    command = ["sh", "-c", f"exec '{sys.executable}' '{bundle / 'predict.py'}' --stream <&-"]
    found = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (found.returncode, found.stderr.count("\n")) == (1, 1) and "stdin is closed" in found.stderr
