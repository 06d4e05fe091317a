import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from replicate.model.window_graph import build_band, dialogue_numbers, edge_list


def edges(lengths, speakers, past, future, number=2, **block):
    """(sender, receiver, relation) of every edge, in the order of the edge list."""
    dialogue = dialogue_numbers(torch.tensor(lengths))
    band = build_band(dialogue, torch.tensor(speakers), past, future, number, **block)
    pairs, relation = edge_list(band, len(speakers))
    return list(zip(*pairs.tolist(), relation.tolist(), strict=True))


def test_dialogue_numbers_follow_the_lengths():
    assert dialogue_numbers(torch.tensor([2, 1, 3])).tolist() == [0, 0, 1, 2, 2, 2]


@pytest.mark.parametrize(
    ("past", "future", "expected"),
    [
        # Utterance j sends to [j - past, j + future]; M F M; relation 4 * speaker_j + 2 * speaker_i + (j >= i).
        (0, 0, [(0, 0, 1), (1, 1, 7), (2, 2, 1)]),
        (1, 0, [(0, 0, 1), (1, 0, 5), (1, 1, 7), (2, 1, 3), (2, 2, 1)]),
        (0, 1, [(0, 0, 1), (0, 1, 2), (1, 1, 7), (1, 2, 4), (2, 2, 1)]),
        (0, 2, [(0, 0, 1), (0, 1, 2), (0, 2, 0), (1, 1, 7), (1, 2, 4), (2, 2, 1)]),
    ],
)
def test_edges_of_three_utterances_by_hand(past, future, expected):
    assert sorted(edges([3], [0, 1, 0], past, future)) == expected


def test_no_edge_crosses_from_one_dialogue_to_the_next():
    assert {(j, i) for j, i, _ in edges([2, 1, 2], [0] * 5, 5, 5)} == (
        {(0, 0), (0, 1), (1, 0), (1, 1)} | {(2, 2)} | {(3, 3), (3, 4), (4, 3), (4, 4)}
    )


def test_relations_of_three_speakers_are_all_different():
    assert len({relation for *_, relation in edges([6], [0, 1, 2, 0, 1, 2], 5, 5, 3)}) == 18


def brute_force(lengths, speakers, past, future, number):
    found, start = set(), 0
    for n in lengths:
        for j in range(start, start + n):
            for i in range(start, start + n):
                if j - past <= i <= j + future:
                    found.add((j, i, 2 * number * speakers[j] + 2 * speakers[i] + (1 if j >= i else 0)))
        start += n
    return found


@settings(max_examples=150, deadline=None)
@given(st.data(), st.integers(0, 7), st.integers(0, 7), st.integers(1, 20), st.integers(1, 4))
def test_the_band_is_the_double_loop(data, past, future, block, number):
    lengths = data.draw(st.lists(st.integers(1, 12), min_size=1, max_size=5))
    speakers = data.draw(st.lists(st.integers(0, number - 1), min_size=sum(lengths), max_size=sum(lengths)))
    ours = edges(lengths, speakers, past, future, number, block=block)
    assert len(ours) == len(set(ours))
    assert set(ours) == brute_force(lengths, speakers, past, future, number)
    assert [i for _, i, _ in ours] == sorted(i for _, i, _ in ours)
