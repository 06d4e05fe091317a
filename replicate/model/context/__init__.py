"""Context extractors, one module each (see ``base``)."""

from replicate.model.context.base import Extractor, register

__all__ = ["Extractor", "register"]
