"""COGMEN: context extractor (``context``), window graph (``graph``), the whole model (``cogmen``).

The graph part has two forms on the same weights: the reference (torch_geometric) and the band (``banded``).
"""
