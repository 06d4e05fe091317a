"""Which runs are exported."""

import json

import pytest

from export.onnx import save
from replicate import errors


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
