"""DMD as it was published: three streams, all of them also at inference, are distilled into each other.

From DMD (arXiv 2303.13802), at the level of utterances: one feature vector per stream and utterance instead of
sequences of frames, and no dialogue context. Its model is ``replicate.model.context.streams.DecoupledStreams``.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from replicate.model.context.streams import SPACE, DecoupledStreams
from replicate.rng import seeded
from replicate.training.arm import CONTEXTS
from replicate.training.data import Batch
from replicate.training.distillation.base import MethodLosses, MethodSetup, UtteranceOutputs
from replicate.training.distillation.dmd_graph import prior
from replicate.training.distillation.dmd_losses import GRAPHS, DecouplingDistillation
from replicate.training.methods.dmd_trimodal import DmdTrimodalSettings, DmdTrimodalTraits

# The released prior: the edges (source, target) that it favours in each graph. It is set by hand, not learned.
FAVOURED = {
    "homo": {("text", "visual"), ("text", "audio")},
    "hetero": {("text", "visual"), ("text", "audio"), ("visual", "audio")},
}


class DmdTrimodalDistillation(DmdTrimodalTraits, DecouplingDistillation):
    """DMD between the three streams of one model, with a node for each of them and edges in all six directions.

    ``forward`` gets each stream's features in the place of teachers' embeddings.
    """

    def __init__(self, setup: MethodSetup[Any]) -> None:
        settings: DmdTrimodalSettings = setup.settings
        names = CONTEXTS[setup.spec.arm.train]
        # Into the first stream, then into the second, and so on, as (source, target).
        edges = [(source, target) for target, source in itertools.permutations(range(len(names)), 2)]
        model = setup.model.rnn
        assert isinstance(model, DecoupledStreams)
        priors = {name: _prior(settings.prior, name, [(names[s], names[t]) for s, t in edges]) for name in GRAPHS}
        super().__init__(setup, names, edges, priors, SPACE, model.private_width)
        # In lists, so that they do not become part of this module: the model trains and keeps them.
        self._model, self._extractor = [setup.model], [model]
        with seeded(setup.seed, "joined"):
            self.joined = nn.Linear(SPACE * len(names), setup.classes)

    def peer_outputs(self, batch: Batch) -> list[UtteranceOutputs]:
        """Return each stream's features (N, width); they have no prediction of their own, so ``log_prob`` is zero."""
        features = self._model[0].project(batch.x[batch.present])
        nothing = features.new_zeros(len(features), self.classes)
        return [UtteranceOutputs(stream, nothing) for stream in features.split(self._extractor[0].widths, 1)]

    def forward(self, student: UtteranceOutputs, teachers: Sequence[UtteranceOutputs], labels: Tensor) -> MethodLosses:
        """Compute all losses except the cross-entropy of the model's own logits."""
        model = self._extractor[0]
        halves = model.split([each.embedding for each in teachers])
        losses, logged = self.losses(list(model.decouplers), halves, labels, model.reinforced(halves))  # type: ignore[arg-type]
        joined = F.cross_entropy(self.joined(model.joined(halves)), labels)
        return MethodLosses({**losses, "branches": losses["branches"] + joined}, logged)


def _prior(kind: str, graph: str, edges: Sequence[tuple[str, str]]) -> torch.Tensor | None:
    """Return the prior weights of a graph's edges, or None."""
    favoured = FAVOURED[graph] if kind == "released" else set()
    return None if kind == "none" else prior([float(edge in favoured) for edge in edges])
