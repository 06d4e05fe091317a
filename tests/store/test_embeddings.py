"""Teachers' outputs are computed once for all students and checked when they are read."""

import math
import threading
import time

import pytest
import torch

from replicate.store import embeddings
from replicate.store.store import EMBEDDINGS
from replicate.training.distillation.base import TeacherOutputs, UtteranceOutputs
from tests.small_runs import teacher_outputs


def test_embeddings_are_computed_once(store):
    def compute():
        asked.append(1)
        return teacher_outputs(torch.arange(6.0).view(2, 3))

    asked: list[int] = []
    store.root.mkdir()
    for _ in range(3):
        found = store.teacher_outputs("teacher", compute)
        assert found.train.embedding.tolist() == [[0, 1, 2], [3, 4, 5]]
        assert torch.equal(found.train.log_prob, torch.tensor([[0.0, 1, 2]] * 2).log_softmax(1))
        assert found.dev.embedding.tolist() == [[1, 2, 3]]
        assert torch.equal(found.dev.log_prob, torch.tensor([[2.0, 4, 6]]).log_softmax(1))
    assert len(asked) == 1 and store.embeddings_intact("teacher")
    assert (
        store.teacher_outputs("another", lambda: teacher_outputs(torch.zeros(1, 1))).train.embedding.tolist() == [[0]]
        and len(asked) == 1
    )


@pytest.mark.parametrize("place", [0, 0.5, 0.999])
def test_damaged_embeddings_are_computed_again(store, place):
    store.root.mkdir()
    store.teacher_outputs("teacher", lambda: teacher_outputs(torch.ones(2, 3)))
    path = store.root / EMBEDDINGS / "teacher.safetensors"
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 1
    path.write_bytes(content)
    assert not store.embeddings_intact("teacher")
    assert (
        store.teacher_outputs("teacher", lambda: teacher_outputs(torch.ones(2, 3) * 2)).train.embedding.tolist()
        == [[2] * 3] * 2
    )
    assert store.embeddings_intact("teacher")


@pytest.mark.parametrize(
    ("embedding", "log_prob"),
    [
        ([[math.nan, 0]], [[0.0, -math.inf]]),
        ([[0.0, math.inf]], [[0.0, -math.inf]]),
        ([[0.0, 0]], [[0.0, 0.0]]),
        ([[0.0, 0]], [[1.0, -math.inf]]),
        ([[0.0, 0]], [[math.nan, 0.0]]),
        ([[0.0, 0]], [[-math.inf, -math.inf]]),
    ],
)
def test_consistent_outputs_that_no_teacher_can_give_are_computed_again(store, embedding, log_prob):
    store.root.mkdir()
    wrong = UtteranceOutputs(torch.tensor(embedding), torch.tensor(log_prob))
    good = teacher_outputs(torch.ones(2, 3))
    (store.root / EMBEDDINGS).mkdir()
    embeddings.write(store.root / EMBEDDINGS / "teacher.safetensors", TeacherOutputs(good.train, wrong, "somewhere"))
    assert not store.embeddings_intact("teacher")
    assert store.teacher_outputs("teacher", lambda: good) == good


def test_several_students_at_once_wait_for_one_computation(store):
    def compute():
        asked.append(1)
        time.sleep(0.2)
        return teacher_outputs(torch.ones(2, 1))

    asked: list[int] = []
    store.root.mkdir()
    found: list[TeacherOutputs] = []
    threads = [threading.Thread(target=lambda: found.append(store.teacher_outputs("t", compute))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(asked) == 1 and [each.train.embedding.tolist() for each in found] == [[[1], [1]]] * 4


def test_embeddings_that_could_not_be_computed_leave_nothing(store):
    store.root.mkdir()
    with pytest.raises(KeyboardInterrupt):
        store.teacher_outputs("teacher", lambda: (_ for _ in ()).throw(KeyboardInterrupt))
    assert not list(store.root.glob(f"{EMBEDDINGS}/*")) and not store.embeddings_intact("teacher")
