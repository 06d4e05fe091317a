"""The model as it is deployed: what is heard in, probabilities out, whatever it was trained on."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from replicate.model.cogmen import COGMEN, Form
from replicate.model.window_graph import build_band, edge_list
from replicate.training.data import Scale


class SpeechModel(nn.Module):
    """COGMEN on raw audio features of padded batches; standardisation and zero video are part of it.

    Padding never takes part, also for a model trained under the released protocol: in deployment a
    dialogue's prediction must not depend on who shares its batch.

    Args:
        scaling: of every stream the model was trained on, in the order of its input; the first is what it hears.
        form: which execution of the graph part to run; ``export.onnx.dialogue_graph`` writes a third.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, model: COGMEN, scaling: Mapping[str, Scale], form: Form = "banded") -> None:
        super().__init__()
        self.model = model.eval()
        self.model.rnn.attend_padding = False
        self.form = form
        audio_stream, *unseen = scaling.values()
        self.after = sum(len(scale.mean) for scale in unseen)
        self.register_buffer("mean", torch.from_numpy(audio_stream.mean))
        self.register_buffer("deviation", torch.from_numpy(audio_stream.deviation))

    def forward(self, audio: Tensor, speaker: Tensor, length: Tensor) -> Tensor:
        """Class probabilities.

        Shapes:
            audio: (batch, utterances, features) float32, not standardised; speaker: (batch, utterances) int64;
            length: (batch,) int64, utterances that are real. Returns (batch, utterances, classes), 0 on padding.
        """
        batch, utterances = speaker.shape
        present = torch.arange(utterances, device=audio.device) < length[:, None]
        x = (audio - self.mean) / self.deviation * present[..., None]
        x = torch.cat([x, x.new_zeros(batch, utterances, self.after)], -1)
        node = self.model.rnn(self.model.project(x), present).flatten(0, 1)
        # Every row of padding counts as a dialogue of its own, so that no real utterance hears it.
        row = torch.arange(batch * utterances, device=audio.device)
        dialogue = torch.where(present.flatten(), row // utterances, -1 - row)
        config = self.model.config
        band = build_band(dialogue, speaker.flatten(), config.past, config.future, config.speakers)
        graph = edge_list(band, len(node)) if self.form == "reference" else band
        probability = self.model.classify(node, graph).log_prob.exp()
        return probability.view(batch, utterances, config.classes) * present[..., None]
