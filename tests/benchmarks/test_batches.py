"""The size of the predictor's batches is the fastest, or nearly, with a model of the paper's size: `make bench`."""

import json

import onnx
import pytest

from export.benchmark.batches import SIZES, measure, report
from export.onnx.dialogue_graph import build
from export.predictor import BATCH_UTTERANCES, CHECKSUMS, FORMAT_NAME, FORMAT_VERSION, MODEL, Predictor
from replicate.files import sha256
from tests.benchmarks.test_latency import speech
from tests.export import tiny_bundle

pytestmark = pytest.mark.bench


@pytest.fixture
def bundle(tmp_path):
    model = build(speech("reference"))
    metadata = tiny_bundle.metadata(stream=False) | {
        "labels": ["happy", "sad", "neutral", "angry"],
        "widths": {"audio": 100},
        "standardisation": {"audio": {"mean": [0.0] * 100, "deviation": [1.0] * 100}},
        "recipe": None,
    }
    texts = {name: json.dumps(value) for name, value in metadata.items()}
    onnx.helper.set_model_props(model, {"format": f"{FORMAT_NAME} {FORMAT_VERSION}"} | texts)
    onnx.save(model, tmp_path / MODEL)
    (tmp_path / CHECKSUMS).write_text(json.dumps({MODEL: sha256(tmp_path / MODEL)}))
    return tmp_path


def test_no_other_size_is_much_faster(bundle):
    found = measure(Predictor(bundle))
    print("", *report(found), sep="\n")
    for times in found.values():
        assert times[BATCH_UTTERANCES] <= 1.1 * min(times.values())
        assert times[BATCH_UTTERANCES] <= 0.9 * times[SIZES[-1]]
