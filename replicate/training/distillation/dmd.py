"""DMD: embeddings are split into a shared and a private half, and in each a graph distils teachers into the student.

From DMD (arXiv 2303.13802), adapted to a speech-only student of teachers that have privileged streams, too; not in the
paper. ``dmd_trimodal`` is DMD as it was published, a model of three streams without a teacher.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from replicate.model.cogmen import COGMEN
from replicate.model.heads.decoupler import Decoupler
from replicate.rng import seeded
from replicate.training.arm import CONTEXTS
from replicate.training.data import Batch
from replicate.training.distillation.base import MethodLosses, MethodSetup, UtteranceOutputs
from replicate.training.distillation.dmd_graph import prior
from replicate.training.distillation.dmd_losses import GRAPHS, DecouplingDistillation
from replicate.training.methods.dmd import DmdOnlineTraits, DmdSettings, DmdTraits


class DmdDistillation(DmdTraits, DecouplingDistillation):
    """DMD with edges from every teacher to the student."""

    # Whether there is also an edge from the student (node 0) to the other model (node 1), which must be the only one.
    mutual: ClassVar[bool] = False

    def __init__(self, setup: MethodSetup[Any]) -> None:
        settings: DmdSettings = setup.settings
        names, widths = self.sources(setup)
        edges = [(place, 0) for place in range(1, len(widths) + 1)] + ([(0, 1)] if self.mutual else [])
        joint = settings.prior == "joint"
        expected = prior([float(joint and place == 0) for place in range(len(edges))])
        priors = dict.fromkeys(GRAPHS, None if settings.prior == "none" else expected)
        super().__init__(setup, ["student", *names], edges, priors, settings.space)
        assert setup.model.decoupler is not None
        # In a list, so that it does not become part of this module: the student's model trains and keeps it.
        self._student = [setup.model.decoupler]
        with seeded(setup.seed, "decouplers"):
            self.teachers = nn.ModuleList(Decoupler(width, settings.space, owns_shared=False) for width in widths)

    @staticmethod
    def sources(setup: MethodSetup[Any]) -> tuple[list[str], list[int]]:
        """Return the names of the other models in the graphs, and the columns of their embeddings."""
        return setup.teacher_names, setup.teacher_widths

    def forward(self, student: UtteranceOutputs, teachers: Sequence[UtteranceOutputs], labels: Tensor) -> MethodLosses:
        """Compute all losses except the cross-entropy of the student's own logits."""
        own = self._student[0]
        halves = [own(student.embedding)]
        halves += [each(model.embedding, own.shared) for each, model in zip(self.teachers, teachers, strict=True)]
        return self.losses([own, *self.teachers], halves, labels)


class DmdOnlineDistillation(DmdOnlineTraits, DmdDistillation):
    """DMD without a frozen teacher: a second model is trained next to the student, each is distilled into the other.

    It has the privileged streams as input, several of them joined, and the student's architecture without additional
    heads. It is discarded after training.
    """

    mutual = True

    def __init__(self, setup: MethodSetup[Any]) -> None:
        super().__init__(setup)
        self.bf16 = setup.spec.precision == "bf16"
        config = replace(setup.model.config, width=setup.auxiliary_width, projected=0, decoupled=0, hallucinated=0)
        with seeded(setup.seed, "weights of the second model"):
            self.peer = COGMEN(config)

    @staticmethod
    def sources(setup: MethodSetup[Any]) -> tuple[list[str], list[int]]:
        """Return the second model, whose embeddings are as wide as the student's."""
        streams = CONTEXTS[setup.settings.auxiliary]
        return [f"{' and '.join(streams)} model"], [setup.embedding_width]

    def peer_outputs(self, batch: Batch) -> list[UtteranceOutputs]:
        """Return the outputs of the second model."""
        assert batch.auxiliary is not None
        with torch.autocast(batch.x.device.type, torch.bfloat16, enabled=self.bf16):
            output = self.peer(batch.auxiliary, batch.lengths, batch.speakers)
        return [UtteranceOutputs(output.graph.float(), output.log_prob)]
