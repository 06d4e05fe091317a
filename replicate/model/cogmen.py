"""COGMEN (Joshi et al., 2022) as the paper uses it: context extractor, window graph, classifier.

Parameters carry the names of the released code, so its checkpoints load as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch_geometric.nn import RGCNConv, TransformerConv

from replicate.model.banded import relational_convolution, windowed_attention
from replicate.model.context import ContextExtractor
from replicate.model.graph import Band, Edges, build_band, dialogue_numbers, edge_list
from replicate.model.packed import drop

Form = Literal["reference", "banded"]


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

    @property
    def encoder_width(self) -> int:
        """Columns of the context extractor's input."""
        return self.width - self.projected + (self.hidden if self.projected else 0)


class Output(NamedTuple):
    """What the model says of N utterances.

    Shapes:
        node: (N, hidden), the context extractor's output.
        graph: (N, hidden * gnn_heads), after BatchNorm and leaky ReLU: the embedding that distillation matches.
        log_prob: (N, classes).
    """

    node: Tensor
    graph: Tensor
    log_prob: Tensor


class GraphPart(nn.Module):
    """RGCN over relations, then attention over the window, BatchNorm, leaky ReLU ("GNN" in the released code)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        hidden, heads = config.hidden, config.gnn_heads
        self.conv1 = RGCNConv(hidden, hidden, 2 * config.speakers**2)
        self.conv2 = TransformerConv(hidden, hidden, heads=heads, concat=True)
        self.bn = nn.BatchNorm1d(hidden * heads)

    def forward(self, x: Tensor, graph: Band | Edges) -> Tensor:
        """Embeddings (M, hidden * heads) of nodes x (M, hidden): by torch_geometric on edges, else on the band."""
        if isinstance(graph, Edges):
            x = self.conv2(self.conv1(x, graph.pairs, graph.relation), graph.pairs)
        else:
            x = windowed_attention(self.conv2, relational_convolution(self.conv1, x, graph), graph)
        return F.leaky_relu(self.bn(x))


class Classifier(nn.Module):
    """Two linear layers with dropout between, log-softmax."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.lin1 = nn.Linear(config.hidden * config.gnn_heads, config.hidden)
        self.lin2 = nn.Linear(config.hidden, config.classes)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Log-probabilities (M, classes) of embeddings (M, hidden * heads)."""
        return self.lin2(drop(self.lin1(x).relu(), self.dropout)).log_softmax(-1)


class COGMEN(nn.Module):
    """The whole model. Make it inside ``replicate.rng.seeded`` to fix its initial weights."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.rnn = ContextExtractor(
            config.encoder_width,
            config.hidden,
            config.context_layers,
            config.dropout,
            config.feed_forward,
            config.encoder_heads,
            config.attend_padding,
        )
        self.gcn = GraphPart(config)
        self.clf = Classifier(config)
        if config.projected:
            # Without a bias, so that padding stays zero.
            self.projection = nn.Linear(config.projected, config.hidden, bias=False)
            self.projection.requires_grad_(config.learn_projection)

    def forward(
        self, x: Tensor, lengths: Tensor, speakers: Tensor, form: Form = "banded", keep: Tensor | None = None
    ) -> Output:
        """Outputs for the utterances of a padded batch, packed dialogue after dialogue.

        Shapes:
            x: (B, L, width), padding zero; lengths: (B,) int64, L the largest; speakers: (B, L) int64;
            keep: what of the encoder's input stays (1) and what is masked (0), broadcast to (B, L, encoder_width).
            N of the output is the sum of lengths.
        """
        node, band = self.nodes(x, lengths, speakers, form, keep)
        return self.classify(node, edge_list(band, len(node)) if form == "reference" else band)

    def nodes(
        self, x: Tensor, lengths: Tensor, speakers: Tensor, form: Form = "banded", keep: Tensor | None = None
    ) -> tuple[Tensor, Band]:
        """The context extractor's output (N, hidden), packed, and the graph over it.

        The reference runs torch's encoder on padded dialogues, and so does the banded form where padding takes part.
        """
        present = torch.arange(x.shape[1], device=x.device) < lengths[:, None]
        if self.rnn.attend_padding or form == "reference":
            x = self.project(x)
            node = self.rnn(x if keep is None else x * keep, present)[present]
        else:
            x = self.project(x[present])
            node = self.rnn.packed(x if keep is None else x * keep.expand(*present.shape, -1)[present], lengths)
        config = self.config
        band = build_band(dialogue_numbers(lengths), speakers[present], config.past, config.future, config.speakers)
        return node, band

    def project(self, x: Tensor) -> Tensor:
        """The encoder's input (..., encoder_width) of features (..., width)."""
        if not self.config.projected:
            return x
        head, rest = x[..., : self.config.projected], x[..., self.config.projected :]
        return torch.cat([self.projection(head), rest], -1)

    def classify(self, node: Tensor, graph: Band | Edges) -> Output:
        """Graph part and classifier on packed nodes (N, hidden)."""
        embedding = self.gcn(node, graph)
        return Output(node, embedding, self.clf(embedding))
