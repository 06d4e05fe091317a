"""Corpora: their types, the file format, readers, downloads, merging and synthetic corpora; ``load`` returns one."""

from replicate.corpus.loading import data_folder, is_here, load, named_corpora
from replicate.corpus.types import SPLITS, Corpus, Dialogue, Split

__all__ = ["SPLITS", "Corpus", "Dialogue", "Split", "data_folder", "is_here", "load", "named_corpora"]
