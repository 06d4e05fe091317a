"""Corpora: their types, the file format, readers, downloads, merging and synthetic corpora; ``load`` returns one."""

from replicate.corpus.loading import catalogue, data_folder, is_here, load
from replicate.corpus.types import SPLITS, Corpus, Dialogue, Split

__all__ = ["SPLITS", "Corpus", "Dialogue", "Split", "catalogue", "data_folder", "is_here", "load"]
