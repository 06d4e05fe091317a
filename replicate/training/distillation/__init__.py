"""Distillation: methods by which a student learns from teachers, behind one interface (``terms.Teaching``)."""
