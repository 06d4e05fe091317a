"""Masked training: feature columns are hidden at random, by a strategy that the protocol names (see ``base``)."""

from replicate.training.masking.base import MaskingStrategy, register

__all__ = ["MaskingStrategy", "register"]
