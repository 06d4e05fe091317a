"""Runs and panels made by hand, for figures that need no training."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from replicate import plotting
from replicate.results.statistics import summarise

NAMES = ("happy", "sad", "angry")
FRAME = plotting.Frame("Title", "Footer.")


def scores(predicted, number=3):
    """Log-probabilities whose largest is at ``predicted``."""
    return np.eye(number, dtype=np.float32)[predicted]


def run(labels, predicted, curve=(), best=1):
    """The part of a run that figures use."""
    record = SimpleNamespace(curve=[SimpleNamespace(**epoch) for epoch in curve], best_epoch=best)
    return SimpleNamespace(
        labels=lambda split: np.array(labels), log_prob=lambda split, context: scores(predicted), record=record
    )


def panel(*runs, by_class=((0.5, 0.25, 0.0),), names=NAMES, title="Some arm"):
    """A panel of these runs."""
    cell = SimpleNamespace(summary=summarise([0.5]), by_class=by_class, metric="weighted_f1")
    return SimpleNamespace(title=title, context="A", classes=names, runs=lambda: list(runs), cell=cell)
