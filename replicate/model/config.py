"""Everything that decides the shape of a model and what it computes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Context = Literal["transformer", "gru", "lstm", "ssm"]


@dataclass(frozen=True)
class ModelConfig:
    """Everything that decides the shape of a model and what it computes.

    Attributes:
        width: columns of the input (all streams of the arm side by side).
        classes, speakers: of the corpus.
        hidden: width between the parts (100 in the paper).
        context_layers, gnn_heads: the paper's [SeqContext, GNN]; its "GNN layers" are these heads.
        past, future: the window; 0 and 0 give the disjoint graph of Appendix A.
        attend_padding: see ``ContextExtractor``.
        encoder_heads: None takes the released rule, see ``context.encoder_heads``.
        projected: leading columns of the input that a linear layer takes to ``hidden`` first (HuBERT); 0 for none.
        learn_projection: false keeps that layer as it was drawn, as the released code does.
        decoupled: size of the shared and the private part that the classifier sees (DMD); 0 leaves the embedding whole.
        hallucinated: size of what a model that sees would say, whose guess the classifier gets (PKDOT); 0 for none.
        context: which context extractor; feed_forward, encoder_heads and attend_padding are the transformer's.
        causal: whether an utterance's output depends on itself and what was before alone; ``past`` is 0 then.
        memory: utterances that a layer of a causal transformer attends to, the current one among them.
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
    decoupled: int = 0
    hallucinated: int = 0
    context: Context = "transformer"
    causal: bool = False
    memory: int = 64

    def __post_init__(self) -> None:
        if self.causal and (self.past or self.memory < 1):
            raise ValueError(f"a causal model has past = 0 and memory from 1, not {self.past} and {self.memory}")

    @property
    def encoder_width(self) -> int:
        """Columns of the context extractor's input."""
        return self.width - self.projected + (self.hidden if self.projected else 0)
