"""Which runs are exported."""

import json
from types import SimpleNamespace

import pytest

from export.onnx import save
from replicate import errors
from replicate.model.config import ModelConfig


def test_only_transformers_are_exported(replicate, causal_results, tmp_path):
    manifest = json.loads((causal_results / "manifest.json").read_text())
    store = (causal_results / manifest["store"]).resolve()
    records = {key: json.loads((store / key / "run.json").read_text()) for key in manifest["runs"]}
    gru = next(key for key, record in records.items() if record["arm"]["name"] == "COGMEN-A-gru")
    assert gru not in manifest["deployable"]
    done = replicate("export", "onnx", "--results", causal_results, "--arm", "COGMEN-A-gru", "--out", tmp_path / "x")
    assert done.status == 1 and "error (nothing to export)" in done.stderr
    assert "its context extractor 'gru' cannot be written as ONNX" in done.stderr
    from replicate.store.store import Store

    with pytest.raises(errors.NotExportable, match=r"COGMEN-A-gru.*context extractor gru.*--arm"):
        save.write(Store(store).get(gru), ("M", "F"), tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_late_fusion_is_not_exported(tmp_path):
    record = SimpleNamespace(
        key="1f", arm=SimpleNamespace(name="late"), model=ModelConfig(6, stream_widths=(4, 2), context="transformer")
    )
    with pytest.raises(errors.NotExportable, match=r"run 1f \(late\) has late fusion, .*--arm"):
        save.write(SimpleNamespace(record=record), ("M", "F"), tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())
