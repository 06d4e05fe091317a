"""Load weights of the original code into our model."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from replicate.errors import NotThisFormat
from replicate.model.cogmen import COGMEN
from replicate.model.config import ModelConfig

# Layers that the original code creates and never uses in this configuration.
_UNUSED = ("rnn.encoding_layer.", "clf.emotion_att.", "clf.nll_loss.", "clf.loss_weights")


def load_original(
    weights: Mapping[str, Tensor],
    window: tuple[int, int] = (5, 5),
    encoder_heads: int | None = None,
    attend_padding: bool = False,
    dropout: float = 0.0,
) -> COGMEN:
    """Build a model from the original's state dict, in eval mode. All sizes are taken from the weights.

    Args:
        weights: state dict of the original code.
        window, encoder_heads, attend_padding: settings that the weights do not determine.

    Raises:
        NotThisFormat: a weight is missing, unknown, or of a size that does not fit the others.
    """
    used = {name: tensor for name, tensor in weights.items() if not name.startswith(_UNUSED)}
    for name, tensor in used.items():
        if tensor.numel() == 0:
            raise NotThisFormat(f"these are no weights of the original COGMEN: {name} is empty")
    try:
        config = ModelConfig(
            width=used["rnn.transformer_out.weight"].shape[1],
            classes=used["clf.lin2.weight"].shape[0],
            speakers=round((used["gcn.conv1.weight"].shape[0] / 2) ** 0.5),
            hidden=used["rnn.transformer_out.weight"].shape[0],
            context_layers=len({name.split(".")[3] for name in used if ".layers." in name}),
            gnn_heads=used["gcn.bn.weight"].shape[0] // used["gcn.conv1.weight"].shape[2],
            past=window[0],
            future=window[1],
            dropout=dropout,
            attend_padding=attend_padding,
            feed_forward=used["rnn.transformer_encoder.layers.0.linear1.weight"].shape[0],
            encoder_heads=encoder_heads,
        )
        model = COGMEN(config)
        model.load_state_dict(used)
    except (KeyError, IndexError, RuntimeError, AssertionError) as error:
        reason = " ".join(str(error).split())
        raise NotThisFormat(f"these are no weights of the original COGMEN: {reason}") from error
    return model.eval()
