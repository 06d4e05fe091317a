"""The model as it is deployed: speech features in, class probabilities out, whichever streams it was trained on."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from replicate.model.cogmen import COGMEN, Form
from replicate.model.window_graph import build_band, edge_list
from replicate.training.data import Scale


class SpeechModel(nn.Module):
    """COGMEN on padded batches of raw audio features; it standardises them and fills all other streams with zeros.

    Padding is always masked out, also for a model that was trained under the released protocol, which attends to it: a
    prediction must not depend on the other dialogues of the batch.

    Args:
        scaling: standardisation of each stream the model was trained on, in the order of its input; the first is the
            audio stream.
        temperature: divides the logits before the softmax; see ``export.onnx.fitted``.
        form: which PyTorch implementation of the graph layers to run; ``export.onnx.dialogue_graph`` writes another.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(
        self, model: COGMEN, scaling: Mapping[str, Scale], form: Form = "banded", temperature: float = 1.0
    ) -> None:
        super().__init__()
        self.model = model.eval()
        self.model.rnn.attend_padding = False
        self.form, self.temperature = form, temperature
        audio, *others = scaling.values()
        self.zeros = sum(len(scale.mean) for scale in others)
        self.register_buffer("mean", torch.from_numpy(audio.mean))
        self.register_buffer("deviation", torch.from_numpy(audio.deviation))

    def forward(self, audio: Tensor, speaker: Tensor, length: Tensor) -> Tensor:
        """Compute class probabilities.

        Shapes:
            audio: (batch, utterances, features) float32, not standardised; speaker: (batch, utterances) int64;
            length: (batch,) int64, the utterances that are not padding. Returns (batch, utterances, classes), with 0
            for padding.
        """
        batch, utterances = speaker.shape
        present = torch.arange(utterances, device=audio.device) < length[:, None]
        x = (audio - self.mean) / self.deviation * present[..., None]
        x = torch.cat([x, x.new_zeros(batch, utterances, self.zeros)], -1)
        node = self.model.rnn(self.model.project(x), present).flatten(0, 1)
        # Each padding row is a dialogue of its own, so it has no edge to a real utterance.
        row = torch.arange(batch * utterances, device=audio.device)
        dialogue = torch.where(present.flatten(), row // utterances, -1 - row)
        config = self.model.config
        band = build_band(dialogue, speaker.flatten(), config.past, config.future, config.speakers)
        graph = edge_list(band, len(node)) if self.form == "reference" else band
        probability = (self.model.classify(node, graph).log_prob / self.temperature).softmax(-1)
        return probability.view(batch, utterances, config.classes) * present[..., None]
