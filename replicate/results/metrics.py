"""The metrics of tables; they are in ``replicate.metrics``, because a run computes its own scores with them too."""

from replicate.metrics import METRICS, all_names, by_dialogue, metric, title

__all__ = ["METRICS", "all_names", "by_dialogue", "metric", "title"]
