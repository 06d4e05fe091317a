from pathlib import Path

import numpy as np
import pytest
import torch

from replicate import errors

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.mark.skipif(not torch.__version__.startswith("2.13."), reason="training repeats to 1e-5 with torch 2.13 only")
def test_parity_prints_every_comparison_and_leaves_with_zero(replicate):
    files = [GOLDEN / "forward_a.npz", GOLDEN / "train_a.npz"]
    status, stdout, stderr = replicate("check", "parity", *files)
    assert status == 0 and "all under 1e-05" in stderr
    for form in ("reference", "banded"):
        for setting in ("each_alone", "batch_padded"):
            for output in ("node", "graph", "log_prob"):
                assert [line for line in stdout.splitlines() if {form, setting, output} <= set(line.split())]
    assert "FAILED" not in stdout


def test_a_wrong_recording_fails(replicate, tmp_path):
    with np.load(GOLDEN / "forward_a.npz") as arrays:
        content = dict(arrays)
    content["each_alone/graph"] = content["each_alone/graph"] + 2e-5
    np.savez(tmp_path / "wrong.npz", **content)
    status, stdout, stderr = replicate("check", "parity", tmp_path / "wrong.npz")
    assert status == errors.ParityFailed.exit_code
    assert "FAILED" in stdout and stderr.startswith("error: ") and "wrong.npz" in stderr
