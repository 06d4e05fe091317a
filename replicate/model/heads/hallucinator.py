"""Predicts the embedding of a model without audio from speech (PKDOT's transformation network; not in the paper)."""

from __future__ import annotations

import itertools

from torch import Tensor, nn

# Hidden widths, as in PKDOT. PKDOT ends with a sigmoid; here there is none, because the embeddings are not bounded.
WIDTHS = (256, 128, 256)


class Hallucinator(nn.Module):
    """Linear layers with ReLU between them that map a student's embedding to that of a model without audio."""

    def __init__(self, width: int, target: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in itertools.pairwise((width, *WIDTHS, target)))

    def forward(self, embedding: Tensor) -> Tensor:
        """Predict the other model's embeddings (N, target) from embeddings (N, width)."""
        for number, layer in enumerate(self.layers):
            embedding = layer(embedding if number == 0 else embedding.relu())
        return embedding
