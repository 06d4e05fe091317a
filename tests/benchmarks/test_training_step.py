"""One optimiser step at the paper's size, one thread: `make bench`.

Each step is compared in turns with the same step of the reference form: padded dialogues through torch's transformer
and torch_geometric's layers with torch's dropout, which are those of the authors' code. The title of each case has the
ratio of the medians.
"""

import statistics
import time

import pytest
import torch
import torch.nn.functional as F

from replicate.model.cogmen import COGMEN
from replicate.model.config import ModelConfig
from replicate.rng import deterministic, generator, seeded

pytestmark = pytest.mark.bench

TURNS = 5
WIDTHS = {"A": 100, "AV": 612}


def step(form, width, layers):
    """Return a function that takes one optimiser step, each time on one of three batches of different lengths."""
    draws = generator(0, "batches")
    batches = []
    for _ in range(3):
        lengths = torch.randint(10, 51, (32,), generator=draws)
        present = torch.arange(int(lengths.max())) < lengths[:, None]
        x = torch.randn(*present.shape, width, generator=draws) * present[..., None]
        speakers = torch.randint(0, 2, present.shape, generator=draws)
        labels = torch.randint(0, 4, (int(lengths.sum()),), generator=draws)
        batches.append((x, lengths, speakers, labels))
    with seeded(0, "weights"):
        model = COGMEN(ModelConfig(width, context_layers=layers)).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4, fused=form == "banded")
    count = iter(range(10**9))

    def take():
        x, lengths, speakers, labels = batches[next(count) % len(batches)]
        optimizer.zero_grad()
        loss = F.nll_loss(model(x, lengths, speakers, form=form).log_prob, labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    return take


@pytest.mark.parametrize("layers", [2, 4])
@pytest.mark.parametrize("context", WIDTHS)
def test_step(benchmark, context, layers):
    seconds = {"banded": [], "reference": []}
    with deterministic():
        steps = {form: step(form, WIDTHS[context], layers) for form in seconds}
        for turn in range(1 + TURNS):
            for form, take in steps.items():
                began = time.process_time()
                for _ in range(3):
                    take()
                if turn:  # the first one warms up
                    seconds[form].append(time.process_time() - began)
        ratio = statistics.median(seconds["reference"]) / statistics.median(seconds["banded"])
        benchmark.group = f"COGMEN-{context}, {layers} layers: {ratio:.2f} times as fast as torch's layers"
        benchmark.pedantic(steps["banded"], rounds=9, warmup_rounds=1)
    assert ratio > 1
