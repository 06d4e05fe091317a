"""The configuration of a model."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ModelConfig:
    """Everything that decides the shape of a model and what it computes.

    Attributes:
        width: columns of the input: all streams of the arm.
        classes, speakers: how many of each the corpus has.
        hidden: width between the components (100 in the paper).
        context_layers, gnn_heads: the paper's [SeqContext, GNN]; what it calls "GNN layers" are attention heads.
        past, future: the window; 0 and 0 give the disjoint graph of Appendix A.
        attend_padding: see ``TransformerExtractor``.
        encoder_heads: attention heads of the transformer; None for the released rule, see
            ``replicate.model.context.transformer.encoder_heads``.
        projected: leading columns of the input that a linear layer maps to ``hidden`` first (HuBERT); 0 for none.
        learn_projection: False freezes that layer at its initial weights, as in the released code.
        projection_bias: whether that layer has a bias, as in the released code.
        decoupled: size of the shared and of the private half of the embedding (DMD), which are then the classifier's
            input; 0 for no split.
        hallucinated: size of the embedding of a model without audio that is predicted and appended to the classifier's
            input (PKDOT); 0 for none.
        context: name of the context extractor; feed_forward, encoder_heads and attend_padding only affect
            "transformer".
        causal: whether an utterance's output depends only on it and on earlier ones (not in the paper); ``past`` must
            then be 0.
        memory: how many utterances a layer of a causal transformer attends to, including the current one.
        stream_widths: columns of each stream of the context extractor's input, if they are kept apart (late fusion);
            empty for one extractor of all columns.
    """

    width: int
    classes: int = 4
    speakers: int = 2
    hidden: int = 100
    context_layers: int = 2
    gnn_heads: int = 7
    past: int = 5
    future: int = 5
    dropout: float = 0.1
    attend_padding: bool = False
    feed_forward: int = 2048
    encoder_heads: int | None = None
    projected: int = 0
    learn_projection: bool = True
    projection_bias: bool = False
    decoupled: int = 0
    hallucinated: int = 0
    context: str = "transformer"
    causal: bool = False
    memory: int = 64
    stream_widths: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.causal and (self.past or self.memory < 1):
            raise ValueError(f"a causal model has past = 0 and memory from 1, not {self.past} and {self.memory}")
        if self.stream_widths and (min(self.stream_widths) < 1 or sum(self.stream_widths) != self.encoder_width):
            raise ValueError(f"stream_widths {self.stream_widths} do not sum to {self.encoder_width} columns")

    @property
    def encoder_width(self) -> int:
        """Columns of the context extractor's input."""
        return self.width - self.projected + (self.hidden if self.projected else 0)
