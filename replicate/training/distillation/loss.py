"""The whole loss of a student: its method's losses and the cross-entropy of the labels, each with its weight."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from replicate.model.cogmen import COGMEN, Output
from replicate.training.config import RunSpec
from replicate.training.data import Batch
from replicate.training.distillation.base import DistillationMethod, TeacherOutputs, UtteranceOutputs
from replicate.training.distillation.dmd import DmdDistillation
from replicate.training.distillation.hallucination import guess_loss
from replicate.training.distillation.logits import LogitsDistillation
from replicate.training.distillation.pkdot import TransportDistillation
from replicate.training.distillation.teacher_alignment import align
from replicate.training.distillation.triplet import TripletDistillation
from replicate.training.distillation_config import Dmd, Logits, MtPkdot, Triplet


class Distillation(nn.Module):
    """The loss of a student.

    Args:
        spec: of the student.
        model: the student.
        taught: what its frozen teachers say, in the order of the arm's; none where a model learns beside it.
        labels: of training and of dev, packed.
        beside: the model that learns beside it.
    """

    def __init__(
        self,
        spec: RunSpec,
        model: COGMEN,
        teacher_outputs: Sequence[TeacherOutputs],
        labels: tuple[Tensor, Tensor],
        beside: COGMEN | None = None,
    ) -> None:
        super().__init__()
        method = spec.arm.method
        assert method is not None
        said = [teacher.train for teacher in teacher_outputs]
        self.guess, self.bf16 = "", spec.precision == "bf16"
        self._model = [model]  # no part of this module
        if isinstance(method, MtPkdot) and spec.arm.guesses is not None:
            self.guess = method.hallucinate
            # As the teacher says it, before it is aligned.
            target = said[spec.arm.teachers.index(spec.arm.guesses)].embedding
            self.register_buffer("target", target, persistent=False)
        self.stage: dict[str, float] = {}
        if isinstance(method, MtPkdot) and method.select != "joint_only":
            said, self.stage = align(teacher_outputs, labels, method.alignment, spec.seed)
        for place, (embedding, log_prob) in enumerate(said):
            self.register_buffer(f"embedding_{place}", embedding, persistent=False)
            self.register_buffer(f"log_prob_{place}", log_prob, persistent=False)
        self.frozen, self.beside = len(said), beside
        self.teaching = _teaching(spec, model, said, beside)
        weights = dict(self.teaching.weights)
        if isinstance(method, MtPkdot) and self.guess:
            weights["hallucination"] = method.hallucination_weight
        weights |= {"nll": self.teaching.nll_weight} if self.teaching.nll_weight else {}
        # Logarithms of variances; at 0 the loss is the one of fixed weights (Kendall, Gal, Cipolla, 2018).
        self.variances = nn.ParameterDict(
            {name: nn.Parameter(torch.zeros(())) for name in weights} if method.weights == "learned" else {}
        )
        self.weights = weights
        self._log: dict[str, list[Tensor]] = defaultdict(list)

    def forward(self, output: Output, labels: Tensor, rows: Tensor, batch: Batch | None = None) -> Tensor:
        """The loss of one batch.

        Shapes:
            labels, rows: (N,), packed like the output; rows says which of the teachers' utterances is whose. The batch
            is for the model that learns beside the student.
        """
        teachers = [
            UtteranceOutputs(self.get_buffer(f"embedding_{place}")[rows], self.get_buffer(f"log_prob_{place}")[rows])
            for place in range(self.frozen)
        ]
        if self.beside is not None:
            assert batch is not None and batch.beside is not None
            with torch.autocast(batch.x.device.type, torch.bfloat16, enabled=self.bf16):
                seen = self.beside(batch.beside, batch.lengths, batch.speakers)
            teachers.append(UtteranceOutputs(seen.graph.to(output.graph.dtype), seen.log_prob))
        losses, notes = self.teaching(UtteranceOutputs(output.graph, output.log_prob), teachers, labels)
        guesser = self._model[0].hallucinator
        if self.guess and guesser is not None:
            guessed = guesser(output.graph.detach())
            losses = losses | {"hallucination": guess_loss(guessed, self.get_buffer("target")[rows], self.guess)}
        losses = losses | {"nll": F.nll_loss(output.log_prob, labels)}
        for name, value in (losses | notes).items():
            self._log[name].append(value.detach())
        return self._total(losses)

    def logged(self) -> dict[str, float]:
        """Means of all losses and notes since the last call."""
        found = {
            name: float(torch.stack([v.to("cpu", torch.float32) for v in log]).mean())
            for name, log in self._log.items()
        }
        found |= {
            f"weight of {name}": float(torch.as_tensor(self._weight(name)).detach()) for name in self.variances
        } | self.stage
        self._log.clear()
        return found

    def _total(self, losses: dict[str, Tensor]) -> Tensor:
        total: Tensor | None = None
        for name, loss in losses.items():
            if name in self.weights:
                part = self._weight(name) * loss
                if name in self.variances:
                    part = part + self.variances[name] / 2
                total = part if total is None else total + part
        # A method may leave out all that has a weight; the gradient is then zero.
        return 0 * losses["nll"] if total is None else total

    def _weight(self, name: str) -> Tensor | float:
        weight = self.weights[name]
        return weight * torch.exp(-self.variances[name]) if name in self.variances else weight


def _teaching(
    spec: RunSpec, model: COGMEN, said: Sequence[UtteranceOutputs], beside: COGMEN | None
) -> DistillationMethod:
    """The method of the student's arm."""
    arm, method, config = spec.arm, spec.arm.method, model.config
    names = [teacher.name for teacher in arm.teachers]
    if isinstance(method, Triplet):
        width, target = config.hidden * config.gnn_heads, said[0].embedding.shape[1]
        return TripletDistillation(method, spec.protocol.triplet, width, target, config.classes, spec.seed)
    if isinstance(method, Logits):
        return LogitsDistillation(method)
    if isinstance(method, MtPkdot):
        return TransportDistillation(method, names, spec.seed)
    assert isinstance(method, Dmd) and model.decoupler is not None
    widths = [each.embedding.shape[1] for each in said]
    if beside is not None:
        widths, names = [beside.config.hidden * beside.config.gnn_heads], ["the one that sees"]
    return DmdDistillation(method, model.decoupler, widths, names, config.classes, spec.seed)
