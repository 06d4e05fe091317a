"""What distillation methods declare about themselves, one module each; none of these modules imports torch."""

from replicate.training.methods.base import METHODS, MethodTraits, Settings, method_settings

__all__ = ["METHODS", "MethodTraits", "Settings", "method_settings"]
