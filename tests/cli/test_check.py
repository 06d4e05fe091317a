from pathlib import Path

import numpy as np
import pytest

GOLDEN = Path(__file__).parents[1] / "golden"


def test_parity_prints_every_comparison_and_leaves_with_zero(replicate):
    files = [GOLDEN / "forward_a.npz", GOLDEN / "train_a.npz", GOLDEN / "triplet.npz"]
    status, stdout, stderr = replicate("check", "parity", *files)
    assert status == 0 and "all under 1e-05" in stderr
    for form in ("reference", "banded"):
        for setting in ("each_alone", "batch_padded"):
            for output in ("node", "graph", "log_prob"):
                assert [line for line in stdout.splitlines() if {form, setting, output} <= set(line.split())]
    lines = [line.split(maxsplit=5) for line in stdout.splitlines()]
    assert [line[3] for line in lines if line[:3] == ["triplet.npz", "released", "triplet"]] == ["loss", "grad"]
    assert [line for line in stdout.splitlines() if "trained, same order  losses" in line and line.endswith("  ok")]
    assert "FAILED" not in stdout


@pytest.mark.parametrize(
    ("difference", "tolerance", "judged", "word"),
    [
        (1e-6, 1e-5, True, "ok"),
        (2e-5, 1e-5, True, "FAILED"),
        (1e-4, 6e-4, True, "ok: under 6e-04, 4 times what rounding moves"),
        (1e-6, 6e-4, True, "ok"),
        (1e-3, 6e-4, True, "FAILED"),
        (1.0, 1e-5, False, "not judged: rounding, see docs/protocol-and-parity.md"),
    ],
)
def test_rounding_is_named_where_it_is_the_excuse(replicate, monkeypatch, difference, tolerance, judged, word):
    from replicate.training import parity

    found = parity.Comparison("f.npz", "banded", "trained, same order", "log_prob", difference, judged, tolerance)
    monkeypatch.setattr(parity, "compare", lambda path: iter([found]))
    status, stdout, _ = replicate("check", "parity", "f.npz")
    assert stdout == f"f.npz  banded     trained, same order  log_prob  {difference:.1e}  {word}\n"
    assert status == (3 if word == "FAILED" else 0)


def test_a_wrong_recording_fails(replicate, tmp_path):
    with np.load(GOLDEN / "forward_a.npz") as arrays:
        content = dict(arrays)
    content["each_alone/graph"] = content["each_alone/graph"] + 2e-5
    np.savez(tmp_path / "wrong.npz", **content)
    status, stdout, stderr = replicate("check", "parity", tmp_path / "wrong.npz")
    assert status == 3 and "error (parity failed)" in stderr
    assert "FAILED" in stdout and "wrong.npz" in stderr
