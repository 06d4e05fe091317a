"""What follows the graph part, as ONNX nodes: the embedding's parts or a guess beside it, and the classifier."""

from __future__ import annotations

from typing import cast

import numpy as np
from torch import nn

from export.onnx.builder import Writer
from replicate.model.cogmen import COGMEN


def classify(write: Writer, model: COGMEN, embedding: str) -> str:
    """Logits (rows, classes) of embeddings (rows, heads * hidden).

    Shared and private parts are linear in what is split, and so is the classifier's first layer in them: one product.
    """
    first, second = model.clf.lin1, model.clf.lin2
    if model.hallucinator is not None:
        guess = embedding
        for number, layer in enumerate(cast("list[nn.Linear]", list(model.hallucinator.layers))):
            guess = write.linear(layer, guess if number == 0 else write.op("Relu", guess))
        hidden = write.linear(first, write.op("Concat", embedding, guess, axis=1))
    elif model.decoupler is None:
        hidden = write.linear(first, embedding)
    else:
        parts = model.decoupler
        assert parts.shared is not None
        both = np.concatenate([layer.weight.detach().double().numpy() for layer in (parts.shared, parts.private)])
        folded = first.weight.detach().double().numpy() @ both
        common = write.op(
            "LayerNormalization",
            write.linear(parts.project, embedding),
            write.weight(parts.norm.weight),
            write.weight(parts.norm.bias),
            epsilon=parts.norm.eps,
        )
        hidden = write.op("Gemm", common, write.weight(folded.T), write.weight(first.bias))
    return write.linear(second, write.op("Relu", hidden))
