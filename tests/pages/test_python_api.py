"""The page on the Python API and the examples run as they are written, on a smaller corpus with less training."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import ROOT, blocks

EXAMPLES = ROOT / "examples"


def small(code: str) -> str:
    return (
        code.replace('"synthetic-small"', '"synthetic-tiny"')
        .replace('"quick"', '"smoke"')
        .replace("seeds=3", "seeds=1")
    )


def run(code: str, folder: Path) -> str:
    """Output of a program in another folder."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_blocks_of_the_page_run_one_after_the_other(tmp_path):
    output = run(small("\n".join(blocks("python-api.md", "python"))), tmp_path)
    assert "p_happy" in output or "utterance" in output
    assert (
        "model.onnx" in output and "invalid definition: unknown arm 'COGMEN-Musk': did you mean COGMEN-Mask?" in output
    )


@pytest.mark.slow
def test_the_script_prints_the_scores_of_every_context(tmp_path):
    code = small((EXAMPLES / "train_one_arm.py").read_text(encoding="utf-8"))
    output = run(code, tmp_path)
    assert "A inference: weighted F1 0." in output and "AV inference: weighted F1 0." in output


def notebook() -> dict:
    return json.loads((EXAMPLES / "train_one_arm.ipynb").read_text(encoding="utf-8"))


def test_the_notebook_has_no_outputs():
    cells = [cell for cell in notebook()["cells"] if cell["cell_type"] == "code"]
    assert cells and all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells)


@pytest.mark.slow
def test_the_cells_of_the_notebook_run_one_after_the_other(tmp_path):
    cells = ["".join(cell["source"]) for cell in notebook()["cells"] if cell["cell_type"] == "code"]
    run(small("\n".join(cells)), tmp_path)
    assert (tmp_path / "my-bundle" / "model.onnx").is_file()
