import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from replicate.rng import derived_seed, deterministic, generator, permutation, seeded


def test_seeds_are_the_same_on_every_machine():
    # SHA-256 of "24/order", first 8 bytes little-endian, without the lowest bit.
    assert derived_seed(24, "order") == 1259133935335207806
    assert 0 <= derived_seed(24, "order") < 2**63


def test_seed_and_purpose_both_matter():
    made = {derived_seed(seed, purpose) for seed in (1, 11, 24, 10**30) for purpose in ("order", "masks", "1/order")}
    assert len(made) == 12


def test_generators_do_not_share_draws():
    one, other = generator(24, "order"), generator(24, "masks")
    torch.rand(100, generator=one)
    assert torch.equal(torch.rand(5, generator=other), torch.rand(5, generator=generator(24, "masks")))


@given(st.integers(0, 500), st.integers(0, 2**64), st.text(max_size=5))
def test_a_permutation_is_that_of_torch(count, seed, purpose):
    assert permutation(count, seed, purpose) == torch.randperm(count, generator=generator(seed, purpose)).tolist()


def test_seeded_restores_the_global_state_even_after_an_exception():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    with pytest.raises(KeyError), seeded(24, "weights"):
        inside = torch.rand(3)
        raise KeyError
    assert torch.equal(torch.rand(3), expected)
    with seeded(24, "weights"):
        assert torch.equal(torch.rand(3), inside)


def test_deterministic_restores_settings_even_after_an_exception():
    before = torch.are_deterministic_algorithms_enabled(), torch.get_num_threads()
    with pytest.raises(KeyError), deterministic(threads=2):
        assert torch.are_deterministic_algorithms_enabled() and torch.get_num_threads() == 2
        raise KeyError
    assert (torch.are_deterministic_algorithms_enabled(), torch.get_num_threads()) == before
