"""Context extractors (transformer, GRU, LSTM, S4D), one module each; ``base`` has the interface."""

from replicate.model.context.base import Extractor, register

__all__ = ["Extractor", "register"]
