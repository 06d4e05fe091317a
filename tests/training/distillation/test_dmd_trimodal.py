from dataclasses import replace

import numpy as np
import pytest
import torch

from replicate.errors import InvalidDefinition
from replicate.model.cogmen import COGMEN
from replicate.training.config import Arm
from replicate.training.data import Batch
from replicate.training.distillation.base import MethodSetup
from replicate.training.distillation.dmd_trimodal import DmdTrimodalDistillation
from replicate.training.loop import model_config
from replicate.training.methods.dmd import DmdSettings
from replicate.training.methods.dmd_trimodal import DmdTrimodalSettings

from ..conftest import corpus, run, spec_of, trained, with_hubert

SMALL = {"context_layers": 1, "gnn_heads": 1, "window": (0, 0), "fusion": "late"}
PLAIN = Arm("plain", "ATV", ("ATV",), "ATV", context="streams", **SMALL)
DMD = replace(PLAIN, name="dmd", context="decoupled-streams", distillation=DmdTrimodalSettings())
STREAMS = ("audio", "text", "visual")
EDGES = [f"{source} to {target}" for target in STREAMS for source in STREAMS if source != target]


def three_streams():
    return with_hubert(corpus(), stream="text")


def build(**settings):
    """The method, its model, and a batch of five utterances in two dialogues."""
    arm = replace(DMD, distillation=DmdTrimodalSettings(**settings))
    torch.manual_seed(0)
    model = COGMEN(model_config(spec_of(arm), three_streams()))
    labels = torch.zeros(2, dtype=torch.int64), torch.zeros(2, dtype=torch.int64)
    made = DmdTrimodalDistillation(MethodSetup(arm.distillation, spec_of(arm), model, [], labels))
    x = torch.randn(2, 3, 12, generator=torch.Generator().manual_seed(1))
    batch = Batch.whole(x, torch.tensor([3, 2]), *torch.zeros(2, 2, 3, dtype=torch.int64))
    return made, model, batch


def losses_of(made, model, batch):
    output = model(batch.x, batch.lengths, batch.speakers)
    return made(output, made.peer_outputs(batch), torch.tensor([0, 1, 1, 0, 1]))


def test_the_released_prior_favours_language():
    made, *_ = build()
    found = {graph: [made.constants[f"{graph} prior {edge}"] for edge in EDGES] for graph in ("homo", "hetero")}
    favoured = {"homo": ["text to audio", "text to visual"]}
    favoured["hetero"] = [*favoured["homo"], "visual to audio"]
    # The numbers of the released code.
    weights = {"homo": (0.4823, 0.0088), "hetero": (0.3273, 0.0060)}
    for graph, (high, low) in weights.items():
        expected = [high if edge in favoured[graph] else low for edge in EDGES]
        assert found[graph] == pytest.approx(expected, abs=5e-5)
    assert [build(prior="uniform")[0].constants[f"homo prior {edge}"] for edge in EDGES] == pytest.approx([1 / 6] * 6)
    assert build(prior="none")[0].constants == {}


@pytest.mark.parametrize("change", [{}, {"homo": False}, {"hetero": False}, {"homo": False, "hetero": False}])
def test_six_edges_are_logged_for_each_graph(change):
    made, model, batch = build(**change)
    losses, logged = losses_of(made, model, batch)
    graphs = [graph for graph in ("homo", "hetero") if change.get(graph, True)]
    assert {name for name in logged if " edge " in name} == {f"{g} edge {edge}" for g in graphs for edge in EDGES}
    for graph in graphs:
        assert sum(float(logged[f"{graph} edge {edge}"].detach()) for edge in EDGES) == pytest.approx(1, abs=1e-5)
    assert losses.keys() == made.weights.keys()
    assert all(torch.isfinite(loss) for loss in losses.values())


@pytest.mark.parametrize("edge", EDGES)
def test_an_edge_moves_its_target_and_no_other_stream(edge):
    made, model, batch = build(edges="uniform", edge_weight=0.0)
    # With the equal weights of all edges, this leaves a weight of 1 on one of them and 0 on the others.
    made.graphs["homo"].expected = torch.tensor([float(name == edge) for name in EDGES]) - 1 / 6
    losses_of(made, model, batch).losses["homo"].backward()
    moved = [float(each.project.weight.grad.norm()) > 1e-6 for each in model.rnn.decouplers]
    assert moved == [stream == edge.split()[-1] for stream in STREAMS]


def test_padding_has_no_effect():
    made, _, batch = build()
    dirty = replace(batch, x=batch.x + 50.0 * ~batch.present[..., None])
    for ours, theirs in zip(made.peer_outputs(batch), made.peer_outputs(dirty), strict=True):
        assert torch.equal(ours.embedding, theirs.embedding) and len(ours.embedding) == 5


@pytest.mark.parametrize(
    "arm",
    [
        PLAIN,
        DMD,
        replace(DMD, distillation=DmdTrimodalSettings(homo=False, hetero=False)),
        replace(DMD, distillation=DmdTrimodalSettings(prior="none")),
        replace(DMD, distillation=DmdTrimodalSettings(margin_form="code", margin=0.15, private_features="repel")),
    ],
)
def test_it_trains_and_repeats(arm):
    result, again = run(arm, three_streams()), run(arm, three_streams())
    assert all(torch.equal(result.weights[key], again.weights[key]) for key in result.weights)
    assert result.weights.keys() == COGMEN(result.model).state_dict().keys()
    assert list(result.scaling) == list(STREAMS) and np.isfinite(result.log_prob["test", "ATV"]).all()
    assert trained(result).config.stream_widths == (4, 5, 3)
    assert not arm.stackable and not arm.exportable


def test_the_model_keeps_what_the_graphs_have_trained():
    full, without = (
        run(replace(DMD, distillation=DmdTrimodalSettings(homo=graphs, hetero=graphs)), three_streams(), epochs=1)
        for graphs in (True, False)
    )
    assert not torch.equal(full.weights["rnn.shared.weight"], without.weights["rnn.shared.weight"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train": "AV", "contexts": ("AV",), "select": "AV"}, "train = 'AV' must be 'ATV'"),
        ({"context": "streams"}, "context = 'streams' must be 'decoupled-streams'"),
        ({"masked": True}, "masked = true"),
        ({"fusion": "early"}, "context = 'decoupled-streams' takes two streams or more apart: set fusion"),
        ({"distillation": DmdTrimodalSettings(clip=-1.0)}, "clip = -1.0 must be 0 or more"),
    ],
)
def test_arms_that_it_cannot_train_are_named(change, message):
    with pytest.raises(InvalidDefinition, match=message):
        replace(DMD, **change)


def test_one_stream_cannot_be_taken_apart():
    with pytest.raises(InvalidDefinition, match="takes two streams or more apart"):
        replace(PLAIN, train="A", contexts=("A",), select="A")
    with pytest.raises(InvalidDefinition, match="needs a teacher"):
        replace(DMD, distillation=DmdSettings())
