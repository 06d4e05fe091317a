"""What a model that sees would say, guessed from speech (PKDOT's transformation network; not in the paper)."""

from __future__ import annotations

import itertools

from torch import Tensor, nn

# Widths between input and output, as in PKDOT. Its last layer has a sigmoid; what is guessed here is not bounded.
WIDTHS = (256, 128, 256)


class Hallucinator(nn.Module):
    """Linear layers with ReLU between, from a student's embedding to one of a model that sees."""

    def __init__(self, width: int, target: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in itertools.pairwise((width, *WIDTHS, target)))

    def forward(self, embedding: Tensor) -> Tensor:
        """Guesses (N, target) of embeddings (N, width)."""
        for number, layer in enumerate(self.layers):
            embedding = layer(embedding if number == 0 else embedding.relu())
        return embedding
