"""Distillation: methods by which a student learns from teachers (``base.DistillationMethod``)."""
