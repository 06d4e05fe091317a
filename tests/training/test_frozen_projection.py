from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from replicate.training.config import HUBERT, Hubert, Protocol
from replicate.training.data import scales
from replicate.training.frozen_projection import components
from replicate.training.loop import train, train_seed_group

from .conftest import AV, A, changed, corpus, run, spec_of, with_hubert

PCA_PROTOCOL = Protocol("pca", hubert=Hubert("pca"))
RANDOM = Protocol("random", hubert=Hubert("random"))
PER_RUN = Protocol("per run", hubert=Hubert("random-per-run"))
SPEECH = replace(A, name="hubert speech", audio="hubert", context_layers=1, gnn_heads=2)
BOTH = replace(AV, name="hubert both", audio="hubert", context_layers=1, gnn_heads=2)


def drawn(rows, columns, rank=None):
    """Correlated columns with very different variances and a mean."""
    rng = np.random.default_rng(5)
    mixed = rng.standard_normal((rows, rank or columns)) @ rng.standard_normal((rank or columns, columns))
    return (mixed * np.linspace(0.1, 3, columns) + 2).astype(np.float32)


def weights(arm, source, seed=24, **budget):
    return run(arm, source, seed, PCA_PROTOCOL, **budget).weights


@pytest.mark.parametrize(("rows", "columns", "count"), [(50, 12, 4), (50, 12, 12), (9, 12, 4), (300, 40, 30)])
def test_they_are_the_principal_components_over_one_number(rows, columns, count):
    x = drawn(rows, columns)
    theirs = PCA(count).fit(x.astype(np.float64))
    ours = components(torch.from_numpy(x), count).numpy()
    sizes = np.linalg.norm(ours, axis=1)
    assert np.allclose(sizes, sizes[0])
    signs = np.sign((ours * theirs.components_).sum(1))
    assert np.allclose(ours / sizes[0], theirs.components_ * signs[:, None], atol=1e-9)
    variances = (x @ ours.T).var(0)
    assert variances.mean() == pytest.approx(1) and list(variances) == sorted(variances, reverse=True)
    # Not whitened.
    assert variances[0] / variances[-1] == pytest.approx(
        theirs.explained_variance_[0] / theirs.explained_variance_[-1], rel=1e-5
    )


def test_the_largest_entry_of_a_component_is_positive():
    x = torch.from_numpy(drawn(50, 12))
    for found in (components(x, 12), components(-x, 12)):
        assert (found.gather(1, found.abs().argmax(1, keepdim=True)) > 0).all()
    assert torch.allclose(components(x, 12), components(-x, 12))


@pytest.mark.parametrize(
    ("x", "there"),
    [
        (drawn(5, 12), 4),  # five utterances differ in four directions
        (drawn(50, 3), 3),
        (drawn(50, 12, rank=2), 2),
        (drawn(400, 12, rank=2), 2),
        (np.repeat(drawn(50, 2), 3, axis=1), 2),
    ],
)
def test_outputs_without_a_component_are_zero(x, there):
    found = components(torch.from_numpy(x), 20)
    assert found.shape == (20, x.shape[1]) and (found[there:] == 0).all() and (found[:there] != 0).any(1).all()
    # Of those that there are the mean variance is one.
    assert (x @ found.numpy().T).var(0)[:there].mean() == pytest.approx(1)


@pytest.mark.parametrize("x", [torch.full((4, 3), 0.1), torch.randn(1, 3)])
def test_features_that_do_not_vary_have_no_components(x):
    assert (components(x, 5) == 0).all()


@pytest.mark.parametrize("stream", HUBERT)
@pytest.mark.parametrize("standardise", [True, False])
def test_components_are_those_of_the_features_that_the_run_gets(stream, standardise):
    source = with_hubert(corpus(standardise=standardise), stream=stream)
    arm = replace(BOTH, audio=stream)
    scale = scales(source, arm.streams)[stream]
    rows = np.concatenate([(d.features[stream] - scale.mean) / scale.deviation for d in source.split("train")])
    found = weights(arm, source)["projection.weight"]
    assert found.shape == (100, 5) and found.dtype == torch.float32
    assert torch.allclose(found, components(torch.from_numpy(rows), 100).float(), atol=1e-6)


def test_components_depend_on_the_training_split_only():
    source = with_hubert(corpus())
    before = weights(SPEECH, source)["projection.weight"]

    def louder(dialogue):
        return {"features": dialogue.features | {"hubert": 3 * dialogue.features["hubert"] ** 2}}

    for split, same in (("dev", True), ("test", True), ("train", False)):
        assert torch.equal(weights(SPEECH, changed(source, split, louder))["projection.weight"], before) is same


def test_components_are_frozen_and_other_weights_start_as_with_a_random_projection():
    source = with_hubert(corpus())
    still = {"learning_rate": 0.0, "weight_decay": 0.0}
    start, after = weights(BOTH, source, **still), weights(BOTH, source, learning_rate=1e-2, weight_decay=0.1)
    assert torch.equal(start["projection.weight"], after["projection.weight"])
    assert not torch.equal(start["clf.lin1.weight"], after["clf.lin1.weight"])
    random = run(BOTH, source, protocol=RANDOM, **still).weights
    assert set(random) - set(start) == {"projection.bias"}
    parameters = [name for name in start if "running" not in name and "num_batches" not in name]
    different = [name for name in parameters if not torch.equal(random[name], start[name])]
    assert different == ["projection.weight"]
    # Every seed projects alike.
    assert torch.equal(weights(BOTH, source, seed=25, **still)["projection.weight"], start["projection.weight"])


def test_a_run_alone_and_in_a_stack_project_alike():
    source = with_hubert(corpus((5, 3, 4, 1, 6, 2, 9)))
    specs = [spec_of(BOTH, seed, PCA_PROTOCOL) for seed in (24, 25)]
    seed_group, alone = train_seed_group(specs, source), [train(spec, source) for spec in specs]
    for one, other in zip(seed_group, alone, strict=True):
        assert torch.equal(one.weights["projection.weight"], other.weights["projection.weight"])


def projections(protocol, arm=SPEECH, seed=24, **budget):
    result = run(arm, with_hubert(corpus(), stream=arm.audio), seed, protocol, **budget)
    return result.weights["projection.weight"], result.weights["projection.bias"]


def test_all_models_and_seeds_share_a_random_projection():
    first = projections(RANDOM)
    second_to_last = replace(SPEECH, audio="hubert-second-to-last")
    for arm, seed in ((SPEECH, 25), (BOTH, 24), (replace(BOTH, masked=True), 24), (second_to_last, 26)):
        assert all(map(torch.equal, first, projections(RANDOM, arm, seed)))
    assert first[0].shape == (100, 5) and (first[1] != 0).all()


def test_a_projection_for_each_run_starts_like_a_learned_one():
    first, other = projections(PER_RUN), projections(PER_RUN, seed=25)
    assert not any(map(torch.equal, first, other)) and not any(map(torch.equal, first, projections(RANDOM)))
    still = {"learning_rate": 0.0, "weight_decay": 0.0}
    learned = run(SPEECH, with_hubert(corpus()), protocol=Protocol("learned"), **still).weights
    assert torch.equal(first[0], learned["projection.weight"]) and "projection.bias" not in learned


@pytest.mark.parametrize("protocol", [RANDOM, PER_RUN])
def test_a_random_projection_is_the_same_in_a_stack(protocol):
    source = with_hubert(corpus())
    specs = [spec_of(BOTH, seed, protocol) for seed in (24, 25)]
    for one, other in zip(train_seed_group(specs, source), [train(spec, source) for spec in specs], strict=True):
        assert torch.equal(one.weights["projection.bias"], other.weights["projection.bias"])
        for key, log_prob in one.log_prob.items():
            assert np.abs(log_prob - other.log_prob[key]).max() < 1e-3  # float32, as in test_seed_group


def test_the_order_of_the_release_has_the_same_components():
    source = with_hubert(corpus())
    released = run(SPEECH, source, protocol=Protocol("x", hubert=Hubert("pca", "release"))).weights["projection.weight"]
    assert torch.allclose(released, weights(SPEECH, source)["projection.weight"], atol=1e-5)
