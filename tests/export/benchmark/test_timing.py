import csv
import json
import shutil

import numpy as np
import pytest
import torch

from export.benchmark import base, engines, memory, report
from export.benchmark import timing as benchmark
from export.benchmark.flops import NodeTime, flops, products_alone, profile
from export.benchmark.measurements import Place, Setup, Shape, Timing, to_json
from export.benchmark.timing import shapes
from export.onnx.deployed_model import SpeechModel
from export.validate.dialogue import example


@pytest.fixture
def copied(smoke_bundle, tmp_path):
    shutil.copytree(smoke_bundle.folder, tmp_path / "bundle")
    return tmp_path / "bundle"


def setup(gpu=None, profiles=None):
    return Setup("bundle", "key", "arm", 24, "corpus", 1, profiles or {}, "processor", 1, gpu, {}, {})


def test_full_times_every_combination_of_batch_and_length():
    assert shapes((1, 8), (10, 30), False) == [Shape(1, 10), Shape(1, 30), Shape(8, 30)]
    assert len(shapes((1, 8), (10, 30), True)) == 4
    assert shapes((2,), (7,), False) == [Shape(2, 7)]


def test_operations_are_counted_from_the_weights(smoke_bundle):
    # Counted by hand from the sizes of COGMEN-A on 12 features: context layers, node layer, relations, attention
    # with the key inside the query, classifier.
    from export.bundle.opening import open_run

    model = open_run(smoke_bundle.folder).record.model
    width, hidden, heads, ff = model.width, model.hidden, model.gnn_heads, model.feed_forward
    context = model.context_layers * (4 * width**2 + 2 * width * ff) + width * hidden
    graph = 9 * hidden**2 + 3 * heads * hidden**2 + heads * hidden**2 + hidden * 4
    assert flops(smoke_bundle.folder / "model.onnx") == 2 * (context + graph)


def test_the_lower_bound_and_the_profile_have_the_same_nodes(smoke_bundle):
    from export.bundle.opening import open_run

    run = open_run(smoke_bundle.folder)
    model = smoke_bundle.folder / "model.onnx"
    results = products_alone(model, 7)()
    layers = run.record.model.context_layers
    # Four products a layer; from encoder to nodes, relations and root; query, value, skip; two of the classifier.
    assert len(results) == 4 * layers + 1 + 2 + 3 + 2
    assert {result.shape[-2] for result in results} == {7} and all(np.isfinite(result).all() for result in results)
    spent = profile(model, example((7,), SpeechModel(run.model(), run.scaling())), 3)
    nodes = {kind.kind: kind.nodes for kind in spent}
    assert nodes["MultiHeadAttention"] == layers and nodes["LayerNormalization"] == 2 * layers
    assert [kind.microseconds for kind in spent] == sorted((kind.microseconds for kind in spent), reverse=True)


def test_the_profile_of_long_dialogues_has_columns_of_its_own():
    many = [NodeTime(f"small {i}", 1, 1.0) for i in range(report.KINDS)]
    found = setup(profiles={30: [NodeTime("Gemm", 20, 60.0), *many], 500: [NodeTime("Attention", 4, 90.0), *many]})
    assert report.profile_columns(found) == (
        "kind of node",
        "nodes",
        "30 utterances",
        "share",
        "500 utterances",
        "share",
    )
    lines = report.profile_cells(found)
    assert lines[0] == ("Attention", "4", "0", "0 %", "90", "92 %")
    assert lines[1] == ("Gemm", "20", "60", "88 %", "0", "0 %")
    assert lines[-1] == ("others", "2", "2", "3 %", "2", "2 %") and len(lines) == report.KINDS + 1


@pytest.mark.slow
def test_benchmark_from_the_command_line(replicate, copied, monkeypatch):
    # Two threads on a machine that is busy otherwise take a hundred times as long; compiling takes a minute.
    monkeypatch.setattr(benchmark, "WARM_UP", 1)
    monkeypatch.setattr(engines.shutil, "which", lambda name: None)
    options = [
        "--calls",
        3,
        "--batch",
        1,
        "--batch",
        2,
        "--length",
        5,
        "--length",
        30,
        "--threads",
        1,
        "--device",
        "cpu",
    ]
    status, stdout, stderr = replicate("benchmark", copied, *options)
    assert status == 0, stderr
    out = copied.parent / "bundle-benchmark"
    content = json.loads((out / "benchmark.json").read_text())
    rows = content["milliseconds"]
    assert [(r["batch"], r["utterances"]) for r in rows[::5]] == [(1, 5), (1, 30), (2, 30)]
    assert {r["engine"] for r in rows} == {*base.ENGINES, base.FLOOR} - {base.COMPILED, base.REPLAYED}
    assert all(r["n"] == 3 and 0 < r["p50"] <= r["p90"] <= r["p99"] for r in rows)
    assert all((r["share_of_peak"] is not None) == (r["engine"] in (base.FP32, base.FLOOR)) for r in rows)
    scores = {row["engine"]: row["test_f1"] for row in content["engines"]}
    exact = [scores[name] for name in (base.REFERENCE, base.BANDED, base.FP32)]
    assert np.ptp(exact) < 1e-9 and scores[base.COMPILED] is None
    assert "needs a C++ compiler" in stdout and "no GPU on this machine" in stdout and f"{exact[0]:.4f}" in stdout
    table = list(csv.reader((out / "benchmark.csv").open()))
    cuda = not torch.cuda.is_available()  # the row of a machine without CUDA
    assert len(table) == 1 + len(rows) + cuda
    grids = (out / "benchmark.md").read_text().split("\n\n")
    assert grids[0].count("\n|") == len(table) and "| MultiHeadAttention |" in grids[-1]
    assert {kind["kind"] for kind in content["profiles"]["30"]} >= {"MultiHeadAttention", "LayerNormalization"}
    assert (out / "benchmark.png").read_bytes().startswith(b"\x89PNG")


def test_the_next_utterance_of_a_stream_is_timed(causal_bundle, tmp_path, monkeypatch):
    monkeypatch.setattr(benchmark, "WARM_UP", 1)
    monkeypatch.setattr(benchmark, "available", lambda bundle, device: {base.FP32: None})
    timings, failures = benchmark.time_all(causal_bundle.folder, [Shape(1, 5)], [Place("cpu", 1)], 3)
    assert [(t.engine, t.batch, t.utterances) for t in timings] == [
        *((name, 1, 5) for name in (base.FP32, base.FLOOR)),
        (base.STREAMED, 1, 1),
    ]
    assert failures == [] and timings[-1].n == 3 and timings[-1].share_of_peak is None
    assert f"{base.STREAMED}: the next utterance" in " ".join(report.remarks(timings, [], setup()))
    report.plot(timings, tmp_path / "benchmark.png")


def test_a_stream_is_timed_with_a_full_state(causal_bundle):
    fed = []

    class Counting:
        def __init__(self, runner):
            self.runner, self.get_inputs = runner, runner.get_inputs

        def run(self, names, given):
            fed.append(given["state"][0])
            return self.runner.run(names, given)

    real = engines.session
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engines, "session", lambda *a: Counting(real(*a)))
        answer = engines.next_utterance(causal_bundle.folder / "model.stream.onnx")
        answer()
    assert fed[:3] == [0, 1, 2] and fed[-2:] == [63, 63]


@pytest.mark.slow
def test_onnxruntime_needs_far_less_memory_than_pytorch(smoke_bundle):
    names = set(engines.available(smoke_bundle.folder)) - {base.COMPILED}
    taken = {name: memory.peak(smoke_bundle.folder, name, 500) for name in names}
    small, large = {taken[base.FP32], taken[base.QUANTISED]}, {taken[base.REFERENCE], taken[base.BANDED]}
    assert min(small) > 20 and 2 * max(small) < min(large) < 5000
    assert memory.peak(smoke_bundle.folder / "none", base.FP32, 500) is None


def test_without_a_bundle_the_command_to_run_is_named(replicate, smoke_results, tmp_path):
    shutil.copy(smoke_results / "manifest.json", tmp_path / "manifest.json")
    status, _, stderr = replicate("benchmark", "--results", tmp_path)
    assert status == 1 and "error (nothing to export)" in stderr and "replicate export onnx" in stderr


def test_a_folder_that_cannot_be_written_is_refused_before_any_timing(replicate, copied):
    (copied.parent / "file").write_text("")
    status, stdout, stderr = replicate("benchmark", copied, "--out", copied.parent / "file")
    assert status == 1 and "error (cannot write)" in stderr and stdout == "" and "file" in stderr


def test_a_changed_bundle_is_not_timed(replicate, copied):
    with (copied / "model.onnx").open("ab") as file:
        file.write(b"x")
    status, stdout, stderr = replicate("benchmark", copied)
    assert status == 1 and "error (bad bundle)" in stderr and stdout == "" and "model.onnx" in stderr


@pytest.mark.slow
def test_the_compiled_engine_computes_the_same(smoke_bundle):
    if engines.available(smoke_bundle.folder)[base.COMPILED]:
        pytest.skip("no C++ compiler")
    from export.bundle.opening import open_run

    run = open_run(smoke_bundle.folder)
    inputs = example((7, 3), SpeechModel(run.model(), run.scaling()))
    compiled, reference = (engines.make(name, smoke_bundle.folder) for name in (base.COMPILED, base.REFERENCE))
    assert np.allclose(compiled.predict(inputs), reference.predict(inputs), atol=1e-5)


def test_an_engine_that_fails_or_differs_is_not_timed(smoke_bundle, monkeypatch):
    def make(name, bundle, threads, device):
        if name == base.COMPILED:
            return engines.on_host(fail)
        right = real(name, bundle, threads, device)
        return engines.on_host(lambda inputs: right.predict(inputs) + 1e-3) if name == base.BANDED else right

    def fail(inputs):
        raise AssertionError("no range for q0")

    real = engines.make
    monkeypatch.setattr(benchmark, "make", make)
    monkeypatch.setattr(benchmark, "WARM_UP", 1)
    names = [base.REFERENCE, base.BANDED, base.COMPILED, base.FP32]
    monkeypatch.setattr(benchmark, "available", lambda bundle, device: dict.fromkeys(names))
    timings, failures = benchmark.time_all(smoke_bundle.folder, [Shape(2, 5)], [Place("cpu", 1)], 2)
    assert [timing.engine for timing in timings] == [base.REFERENCE, base.FP32, base.FLOOR]
    assert [failure.split(":")[0] for failure in failures] == [base.BANDED, base.COMPILED]
    assert (
        "batch 2, 5 utterances, 1 thread, it differs by 1.0e-03 from PyTorch, torch_geometric" in failures[0]
        and "no range for q0" in failures[1]
    )


def test_a_missing_device_is_named(replicate, copied):
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    status, stdout, stderr = replicate("benchmark", copied, "--device", "cuda", "--calls", 1)
    assert status == 1 and "error (missing device)" in stderr and stdout == "" and "no CUDA device" in stderr


def test_a_missing_cuda_provider_is_an_error_only_if_cuda_is_requested(replicate, copied, monkeypatch):
    from export.benchmark import cuda

    lacks = cuda.lacks_provider(copied / "model.onnx")
    if lacks is None:
        pytest.skip("onnxruntime has its CUDA provider")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    status, stdout, stderr = replicate("benchmark", copied, "--device", "cuda", "--calls", 1)
    assert status == 1 and "error (missing device)" in stderr and stdout == "" and "onnxruntime-gpu" in stderr
    assert engines.available(copied, "cuda")[base.FP32] == lacks


def test_speed_is_relative_to_the_reference_on_the_same_device(tmp_path):
    def timing(engine, place, p50):
        return Timing(engine, place, 1, 30, p50, p50, p50, 200)

    cpu, gpu = Place("cpu", 2), Place("cuda")
    timings = [timing(base.REFERENCE, cpu, 8.0), timing(base.FP32, cpu, 2.0)]
    timings += [timing(base.REFERENCE, gpu, 5.0), timing(base.REPLAYED, gpu, 0.25)]
    rows = report.cells(timings, setup("one GPU"))
    assert [(row[1], row[8]) for row in rows] == [("2 threads", x) for x in ("1.00x", "4.00x")] + [
        ("GPU", x) for x in ("1.00x", "20.00x")
    ]
    report.plot(timings, tmp_path / "plot.png")
    read = to_json(timings, [], setup("one GPU"))["milliseconds"]
    assert [(row["device"], row["threads"]) for row in read] == [("cpu", 2)] * 2 + [("cuda", None)] * 2
