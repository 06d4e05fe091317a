"""Layers, heads and dropout of the models whose arms set none themselves; a part of the protocol."""

from __future__ import annotations

from dataclasses import dataclass

from replicate.errors import InvalidDefinition


@dataclass(frozen=True)
class ModelDefaults:
    """Layers, heads and dropout. The paper does not state which belong to which of its tables.

    Attributes:
        context_layers, gnn_heads, dropout: see ``ModelConfig``.

    Raises:
        InvalidDefinition: naming the key.
    """

    context_layers: int = 2
    gnn_heads: int = 7
    dropout: float = 0.1

    def __post_init__(self) -> None:
        check_sizes(self.context_layers, self.gnn_heads, self.dropout)


def check_sizes(context_layers: int | None, gnn_heads: int | None, dropout: float | None) -> None:
    """Check the values that are set.

    Raises:
        InvalidDefinition: naming the key.
    """
    for key, number in (("context_layers", context_layers), ("gnn_heads", gnn_heads)):
        if number is not None and number < 1:
            raise InvalidDefinition(f"{key} = {number} must be 1 or more")
    if dropout is not None and not 0 <= dropout < 1:
        raise InvalidDefinition(f"dropout = {dropout} must be from 0 to below 1")
