"""Graphs that take too long are ended."""

import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from onnx import helper

from export import limited_session
from export.predictor import BadBundle, Predictor
from tests.export import tiny_bundle
from tests.export.test_limited_session import constant, start, with_nodes


def test_a_graph_that_takes_too_long_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(limited_session, "MAX_SECONDS", 0.3)
    nodes = [helper.make_node("Expand", ["start", "size"], ["m0"])]
    nodes += [helper.make_node("MatMul", [f"m{i}"] * 2, [f"m{i + 1}"]) for i in range(4000)]
    with pytest.raises(BadBundle, match="takes more than 0 seconds"):
        Predictor(tiny_bundle.write(tmp_path / "b", with_nodes(*nodes, constants=[start, constant("size", 500, 500)])))


def test_calls_that_are_long_are_ended_and_ended_calls_are_forgotten():
    watch = limited_session._Watch()
    short, long = SimpleNamespace(terminate=False), SimpleNamespace(terminate=False)
    for _ in range(2):
        watch.start(short, 0.0, Path())
        watch.end(short)
        watch.start(long, 0.05, Path())
        thread = watch._thread
        watch.start(long, 0.05, Path())
        assert watch._thread is thread and thread.daemon
        limit = time.monotonic() + 5
        while not long.terminate:
            assert time.monotonic() < limit
            time.sleep(0.01)
        watch.end(long)
        assert not short.terminate
        thread.join(5)
        assert watch._thread is None and not thread.is_alive()
        long.terminate = False


def test_a_graph_that_is_slow_every_time_is_ended(tmp_path, monkeypatch):
    nodes = [helper.make_node("Expand", ["start", "size"], ["m0"])]
    nodes += [helper.make_node("MatMul", [f"m{i}"] * 2, [f"m{i + 1}"]) for i in range(20)]
    small = constant("start", 1 / 300, kind=np.float32)  # the products stay as small
    folder = tiny_bundle.write(tmp_path / "b", with_nodes(*nodes, constants=[small, constant("size", 300, 300)]))
    monkeypatch.setattr(limited_session, "MAX_SECONDS", 0.2)
    predictor = Predictor(folder, limited=False)
    predictor._model._limited = True  # the first call may take longer than the limit on a busy machine
    with pytest.raises(BadBundle, match="far more than an exported model"):
        for _ in range(1000):
            predictor(np.zeros((1, 2)), ["M"])
