"""COGMEN (Joshi et al., 2022) as the paper uses it: context extractor, window graph, classifier.

Parameters have the names of the released code, so that its checkpoints can be loaded.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch_geometric.nn import RGCNConv, TransformerConv

from replicate.model.config import ModelConfig
from replicate.model.context.base import context_extractor
from replicate.model.context.late import LateFusion
from replicate.model.heads.decoupler import Decoupler
from replicate.model.heads.hallucinator import Hallucinator
from replicate.model.seed_layers import SeedBatch, batch_norm, drop, linear
from replicate.model.window_graph import Band, Edges, build_band, dialogue_numbers, edge_list
from replicate.model.windowed_gnn import relational_convolution, windowed_attention

Form = Literal["reference", "banded"]


class Output(NamedTuple):
    """The model's outputs for N utterances.

    Shapes:
        node: (N, hidden), the context extractor's output.
        graph: (N, hidden * gnn_heads), after BatchNorm and leaky ReLU: the embedding that distillation works on.
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

    def forward(self, x: Tensor, graph: Band | Edges, seed_batch: SeedBatch) -> Tensor:
        """Return embeddings (M, hidden * heads) of nodes x (M, hidden); ``Edges`` select torch_geometric's layers."""
        if isinstance(graph, Edges):
            x = self.conv2(self.conv1(x, graph.pairs, graph.relation), graph.pairs)
        else:
            x = windowed_attention(self.conv2, relational_convolution(self.conv1, x, graph), graph)
        return F.leaky_relu(batch_norm(self.bn, x, seed_batch))


class Classifier(nn.Module):
    """Two linear layers with ReLU and dropout between them, then log-softmax."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        width = (2 * config.decoupled or config.hidden * config.gnn_heads) + config.hallucinated
        self.lin1 = nn.Linear(width, config.hidden)
        self.lin2 = nn.Linear(config.hidden, config.classes)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, seed_batch: SeedBatch) -> Tensor:
        """Return log-probabilities (M, classes) of features (M, width): embeddings and outputs of additional heads."""
        hidden = drop(linear(x, self.lin1.weight, self.lin1.bias).relu(), self.dropout, seed_batch.segments)
        logits = linear(hidden, self.lin2.weight, self.lin2.bias)
        return logits.to(torch.promote_types(logits.dtype, torch.float32)).log_softmax(-1)  # also under autocast


class COGMEN(nn.Module):
    """The whole model. Build it inside ``replicate.rng.seeded`` for repeatable initial weights."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        extractor = context_extractor(config.context)
        late = bool(config.stream_widths) and not extractor.per_stream
        self.rnn = (LateFusion if late else extractor).from_config(config)
        self.gcn = GraphPart(config)
        self.decoupler = Decoupler(config.hidden * config.gnn_heads, config.decoupled) if config.decoupled else None
        self.hallucinator = None
        if config.hallucinated:
            self.hallucinator = Hallucinator(config.hidden * config.gnn_heads, config.hallucinated)
        self.clf = Classifier(config)
        if config.projected:
            self.projection = nn.Linear(config.projected, config.hidden, bias=config.projection_bias)
            self.projection.requires_grad_(config.learn_projection)

    def forward(
        self,
        x: Tensor,
        lengths: Tensor,
        speakers: Tensor,
        form: Form = "banded",
        keep: Tensor | None = None,
        seed_batch: SeedBatch | None = None,
    ) -> Output:
        """Compute the outputs for the utterances of a padded batch, packed dialogue after dialogue.

        Args:
            seed_batch: for a stack of models (``seed_stack``): which rows belong to which run. The batch holds all
                dialogues of the first run, then all of the second, and so on.

        Shapes:
            x: (B, L, width), padding zero; lengths: (B,) int64, L the largest; speakers: (B, L) int64;
            keep: mask of the encoder's input, 1 to keep and 0 to hide, broadcast to (B, L, encoder_width).
            The output has N = lengths.sum() rows.
        """
        node, band = self.nodes(x, lengths, speakers, form, keep, seed_batch)
        output = self.classify(node, edge_list(band, len(node)) if form == "reference" else band, seed_batch)
        return output if seed_batch is None else Output(*map(seed_batch.gather, output))

    def nodes(
        self,
        x: Tensor,
        lengths: Tensor,
        speakers: Tensor,
        form: Form = "banded",
        keep: Tensor | None = None,
        seed_batch: SeedBatch | None = None,
    ) -> tuple[Tensor, Band]:
        """Compute the context extractor's output (M, hidden) and the window graph over its rows.

        The reference form runs torch's encoder on padded dialogues; so does the banded form if padding is attended to.
        """
        present = torch.arange(x.shape[1], device=x.device) < lengths[:, None]
        dialogue, speaker = dialogue_numbers(lengths), speakers[present]
        if self.rnn.attend_padding or form == "reference":
            if seed_batch is not None:
                raise ValueError("only the packed form computes a stack of models")
            x = self.project(x)
            if self.config.projected and self.config.projection_bias:
                x = x * present[..., None]  # padding stays zero
            node = self.rnn(x if keep is None else x * keep, present)[present]
        else:
            x = x[present]
            if seed_batch is None:
                seed_batch = SeedBatch.one(len(lengths), len(x), x.device)
            x = self.project(seed_batch.pad(x))
            if keep is not None:
                x = x * seed_batch.pad(keep.expand(*present.shape, -1)[present])
            node = self.rnn.packed(x, lengths, seed_batch)
            dialogue, speaker = seed_batch.pad(dialogue), seed_batch.pad(speaker)
            if seed_batch.real is not None:  # rows without an utterance belong to no dialogue
                dialogue = torch.where(seed_batch.real.flatten() > 0, dialogue, -1)
        config = self.config
        return node, build_band(dialogue, speaker, config.past, config.future, config.speakers)

    def project(self, x: Tensor) -> Tensor:
        """Compute the encoder's input (..., encoder_width) from features (..., width)."""
        if not self.config.projected:
            return x
        head, rest = x[..., : self.config.projected], x[..., self.config.projected :]
        return torch.cat([linear(head, self.projection.weight, self.projection.bias), rest], -1)

    def classify(self, node: Tensor, graph: Band | Edges, seed_batch: SeedBatch | None = None) -> Output:
        """Run the graph part and the classifier on nodes (M, hidden)."""
        seed_batch = seed_batch or SeedBatch.one(0, len(node), node.device)
        embedding = self.gcn(node, graph, seed_batch)
        features = embedding
        if self.decoupler is not None:
            halves = self.decoupler(embedding)
            features = torch.cat([halves.shared, halves.private], -1)
        if self.hallucinator is not None:
            # Detached on both sides: only its own loss trains the head, and no gradient reaches the student through it.
            features = torch.cat([features, self.hallucinator(embedding.detach()).detach()], -1)
        return Output(node, embedding, self.clf(features, seed_batch))
