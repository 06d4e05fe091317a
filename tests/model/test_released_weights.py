import pytest
import torch

from replicate.errors import NotThisFormat
from replicate.model.released_weights import load_original

from .conftest import batch, small_model

WEIGHTS = small_model(context_layers=1).state_dict()


@torch.no_grad()
def test_every_size_is_taken_from_the_weights():
    model = small_model(3, width=10, hidden=6, gnn_heads=2, classes=5, speakers=3, context_layers=3, past=2, future=1)
    loaded = load_original(model.state_dict(), window=(2, 1))
    given = batch([4, 2], width=10, speakers=3)
    outputs = [m(given.x, given.lengths, given.speakers).log_prob for m in (model, loaded)]
    assert torch.equal(*outputs) and not loaded.training
    assert loaded.config.context_layers == 3 and loaded.config.feed_forward == 16


def test_unused_weights_of_the_original_are_ignored():
    unused = {
        "rnn.encoding_layer.linear1.weight": torch.zeros(3),
        "clf.emotion_att.lin.weight": torch.zeros(3),
        "clf.nll_loss.weight": torch.zeros(4),
        "clf.loss_weights": torch.zeros(4),
    }
    loaded = load_original({**unused, **WEIGHTS}).state_dict()
    assert loaded.keys() == WEIGHTS.keys()
    assert all(torch.equal(loaded[name], WEIGHTS[name]) for name in WEIGHTS)


@pytest.mark.parametrize("name", sorted(WEIGHTS.keys() - {"gcn.bn.num_batches_tracked"}))  # a count, not a weight
def test_a_missing_weight_is_refused(name):
    with pytest.raises(NotThisFormat):
        load_original({key: value for key, value in WEIGHTS.items() if key != name})


@pytest.mark.parametrize("name", [name for name in WEIGHTS if WEIGHTS[name].ndim])
@pytest.mark.parametrize("wrong", ["one row", "empty", "scalar"])
def test_a_misshapen_weight_is_refused(name, wrong):
    good = WEIGHTS[name]
    bad = {"one row": good[:1], "empty": good[:0], "scalar": torch.tensor(0.0)}[wrong]
    with pytest.raises(NotThisFormat):
        load_original({**WEIGHTS, name: bad})


def test_an_unknown_weight_is_refused():
    with pytest.raises(NotThisFormat, match=r"gcn\.conv3\.weight"):
        load_original({**WEIGHTS, "gcn.conv3.weight": torch.zeros(1)})


def test_an_empty_state_dict_is_refused():
    with pytest.raises(NotThisFormat):
        load_original({})
