"""Corpora: their types, and how to get one by its name or from a path."""

from replicate.corpus.loading import catalogue, data_folder, is_here, load
from replicate.corpus.types import SPLITS, Corpus, Dialogue, Split

__all__ = ["SPLITS", "Corpus", "Dialogue", "Split", "catalogue", "data_folder", "is_here", "load"]
