"""Corpus readers: one module per kind of corpus; see ``base`` for how to add one."""
