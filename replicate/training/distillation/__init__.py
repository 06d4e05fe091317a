"""Distillation: methods by which a student is trained on its teachers' outputs, one module each (see ``base``)."""

from replicate.training.distillation.base import (
    DistillationMethod,
    MethodLosses,
    MethodSetup,
    TeacherOutputs,
    UtteranceOutputs,
)
from replicate.training.methods.base import Settings, register

__all__ = [
    "DistillationMethod",
    "MethodLosses",
    "MethodSetup",
    "Settings",
    "TeacherOutputs",
    "UtteranceOutputs",
    "register",
]
