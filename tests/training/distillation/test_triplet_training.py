"""Students that are trained with the triplet loss, and the frozen embeddings of their teachers."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from replicate.model.cogmen import COGMEN
from replicate.training import trainer
from replicate.training.config import Protocol
from replicate.training.distillation.loss import Distillation
from replicate.training.inference import embed
from replicate.training.loop import train
from replicate.training.methods.triplet import TripletSettings

from ..conftest import AV, STUDENT, TEACHER, A, changed, corpus, embeddings, run, speaking, spec_of, trained

N_WAY = Protocol("n-way", triplet="n-way")


@pytest.fixture(scope="module")
def teacher():
    """A teacher's embeddings of the training split."""
    return embeddings(TEACHER)


@pytest.fixture
def made(monkeypatch):
    """Every Distillation that training makes, with a copy of its first state and the batches that it got."""

    class Watched(Distillation):
        def __init__(self, setup):
            super().__init__(setup)
            self.before = [p.detach().clone() for p in self.parameters()]
            self.batches = []
            found.append(self)

        def forward(self, output, labels, rows, batch):
            self.batches.append((labels, rows))
            return super().forward(output, labels, rows, batch)

    found: list[Watched] = []
    monkeypatch.setattr(trainer, "Distillation", Watched)
    return found


@pytest.mark.parametrize("heads", [1, 3])
def test_the_map_of_a_narrower_or_wider_student_is_trained_and_not_saved(teacher, made, heads):
    other = replace(STUDENT, gnn_heads=heads)
    result = run(other, teacher=teacher)
    (distillation,) = made
    assert distillation.method.adapter.weight.shape == (teacher.shape[1], 100 * heads)
    assert not torch.equal(distillation.before[0], distillation.method.adapter.weight)
    assert result.weights.keys() == COGMEN(result.model).state_dict().keys()
    assert result.model == run(replace(other, teacher=None)).model


def test_an_equally_wide_student_trains_only_its_model(teacher, made):
    run(STUDENT, teacher=teacher)
    assert made[0].before == []


def test_the_teacher_is_frozen(teacher, made):
    before = teacher.clone()
    for form in ("one", "n-way"):
        run(STUDENT, teacher=teacher, protocol=Protocol("p", triplet=form))
        assert torch.equal(made[-1].method.train_outputs[0].embedding, before)
    assert torch.equal(teacher, before)


def plain(result):
    """A result without its time and logged values."""
    return [
        [replace(epoch, logged={}) for epoch in result.curve],
        *(w.tolist() for w in result.weights.values()),
        *(x.tolist() for x in result.log_prob.values()),
    ]


def test_distillation_changes_the_student(teacher):
    alone = run(replace(STUDENT, teacher=None))
    teacher_outputs, n_way = run(STUDENT, teacher=teacher), run(STUDENT, teacher=teacher, protocol=N_WAY)
    other = run(STUDENT, teacher=teacher + 1)
    results = [plain(result) for result in (alone, teacher_outputs, n_way, other)]
    assert all(results[i] != results[k] for i in range(4) for k in range(i))
    assert plain(run(STUDENT, teacher=teacher)) == results[1]


def test_with_weight_0_a_student_is_the_same_as_without_a_teacher(teacher):
    """Bit for bit: negatives and the adapter's weights are drawn without shifting another draw."""
    for heads in (1, 2, 3):
        student = replace(STUDENT, gnn_heads=heads, distillation=TripletSettings(triplet_weight=0.0), dropout=0.3)
        assert plain(run(student, teacher=teacher)) == plain(run(replace(student, teacher=None, distillation=None)))


def test_without_the_cross_entropy_the_classifier_is_not_trained(teacher):
    still = {"weight_decay": 0.0}
    pulled = run(replace(STUDENT, distillation=TripletSettings(nll_weight=0.0)), teacher=teacher, **still)
    start = run(
        replace(STUDENT, distillation=TripletSettings(nll_weight=0.0)), teacher=teacher, learning_rate=0.0, **still
    )
    for name, weight in pulled.weights.items():
        if "clf" in name:
            assert torch.equal(weight, start.weights[name])
    assert not torch.equal(pulled.weights["gcn.conv2.lin_value.weight"], start.weights["gcn.conv2.lin_value.weight"])


def test_a_student_comes_closer_to_its_teacher(teacher):
    def distance(student):
        result = run(student, teacher=teacher, epochs=15, learning_rate=3e-3)
        ours = embed(trained(result), result.scaling, spec_of(student), corpus())
        return float(F.pairwise_distance(ours, teacher).mean() - torch.cdist(ours, teacher).mean())

    assert distance(STUDENT) < distance(replace(STUDENT, distillation=TripletSettings(triplet_weight=0.0))) - 0.1


def test_a_student_is_compared_with_the_same_utterance(made):
    """Every training utterance has a class of its own, which is also its place in the split."""
    source = corpus(classes=4, labels=tuple(map(str, range(21))))
    count = iter(range(21))
    source = changed(source, "train", lambda d: {"labels": np.array([next(count) for _ in range(len(d))])})
    run(STUDENT, source, teacher=torch.randn(21, 200, generator=torch.Generator().manual_seed(0)), epochs=3)
    assert len(made[0].batches) == 6
    for labels, rows in made[0].batches:
        assert labels.tolist() == rows.tolist()
    first = [labels.tolist() for labels, _ in made[0].batches]
    assert first[0] != first[2] and sorted(first[0] + first[1]) == list(range(21))


def test_embeddings_are_packed_and_of_all_that_the_teacher_was_trained_on():
    source = corpus()
    result = run(TEACHER, source)
    model = trained(result)
    found = embed(model.train(), result.scaling, spec_of(TEACHER), source)
    assert found.shape == (21, 200) and not found.requires_grad and not model.training
    start = 0
    for dialogue in source.split("train"):
        x = np.concatenate([(dialogue.features[name] - s.mean) / s.deviation for name, s in result.scaling.items()], 1)
        with torch.no_grad():
            alone = model(torch.from_numpy(x)[None], torch.tensor([len(x)]), torch.from_numpy(dialogue.speakers)[None])
        assert torch.allclose(found[start : start + len(x)], alone.graph, rtol=0, atol=1e-5)
        start += len(x)
    without_video = embed(model, result.scaling, spec_of(TEACHER), source, context="A")
    assert (found - without_video).abs().max() > 1e-3
    assert embed(model, result.scaling, spec_of(TEACHER), source, "dev").shape == (7, 200)


def test_students_need_teacher_outputs_and_other_arms_refuse_them(teacher):
    with pytest.raises(ValueError, match="student"):
        train(spec_of(STUDENT), corpus())
    for arm in (A, AV):
        with pytest.raises(ValueError, match=arm.name):
            train(spec_of(arm), corpus(), teacher_outputs=[speaking(teacher, corpus())])
