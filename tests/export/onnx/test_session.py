"""Functions of padded batches are only used if they give probabilities."""

import numpy as np
import pytest

from export.onnx.session import check_probabilities, limited, on_corpus
from export.predictor import BadBundle
from replicate.corpus.synthetic import generate
from tests.export import tiny_bundle
from tests.export.test_limited_session import GRAPHS

INPUTS = {"audio": np.zeros((2, 3, 2), "f4"), "speaker": np.zeros((2, 3), np.int64), "length": np.array([3, 1])}


def test_padding_may_be_anything():
    found = np.full((2, 3, 2), 0.5, np.float32)
    found[1, 1:] = np.nan
    check_probabilities(found, INPUTS, "x")
    found[1, 0] = np.nan
    with pytest.raises(BadBundle, match=r"x is no model .* not finite"):
        check_probabilities(found, INPUTS, "x")
    with pytest.raises(BadBundle, match="shape"):
        check_probabilities(found[:, :2], INPUTS, "x")


@pytest.mark.parametrize("name", ["NaN", "no softmax", "negative"])
def test_a_file_that_gives_no_probabilities_is_named(tmp_path, name):
    path = tiny_bundle.write(tmp_path / "b", GRAPHS[name][0]) / "model.onnx"
    with pytest.raises(BadBundle, match=GRAPHS[name][1]):
        limited(path)(INPUTS)


def test_scores_are_of_probabilities_alone():
    corpus = generate("synthetic-tiny")
    with pytest.raises(BadBundle, match=r"dialogue .* sum to 0"):
        on_corpus(lambda inputs: np.zeros((1, inputs["length"][0], 4), np.float32), corpus, "audio", "test")
