"""The classifier as ONNX nodes, with the decoupler or the hallucinator where the model has one."""

from __future__ import annotations

from typing import cast

import numpy as np
from torch import nn

from export.onnx.builder import Writer
from export.onnx.deployed_model import SpeechModel


def classify(write: Writer, speech: SpeechModel, embedding: str) -> str:
    """Compute logits, divided by the temperature, from the graph's embeddings.

    The decoupler's shared and private projections and the classifier's first layer are linear, so their product is one
    matrix.

    Shapes:
        embedding: (rows, heads * hidden). Returns (rows, classes).
    """
    model = speech.model
    first, second = model.clf.lin1, model.clf.lin2
    if model.hallucinator is not None:
        hallucinated = embedding
        for number, layer in enumerate(cast("list[nn.Linear]", list(model.hallucinator.layers))):
            x = hallucinated if number == 0 else write.op("Relu", hallucinated)
            hallucinated = write.linear(layer, x)
        hidden = write.linear(first, write.op("Concat", embedding, hallucinated, axis=1))
    elif model.decoupler is None:
        hidden = write.linear(first, embedding)
    else:
        decoupler = model.decoupler
        assert decoupler.shared is not None
        projections = (decoupler.shared, decoupler.private)
        both = np.concatenate([layer.weight.detach().double().numpy() for layer in projections])
        product = first.weight.detach().double().numpy() @ both
        common = write.op(
            "LayerNormalization",
            write.linear(decoupler.project, embedding),
            write.weight(decoupler.norm.weight),
            write.weight(decoupler.norm.bias),
            epsilon=decoupler.norm.eps,
        )
        hidden = write.op("Gemm", common, write.weight(product.T), write.weight(first.bias))
    weight, bias = (values.detach().double().numpy() / speech.temperature for values in (second.weight, second.bias))
    return write.op("Gemm", write.op("Relu", hidden), write.weight(weight.T), write.weight(bias))
