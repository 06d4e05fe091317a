"""COGMEN: context extractors (``context``), the window graph (``window_graph``), the whole model (``cogmen``).

The graph part has two implementations on the same weights: torch_geometric's layers, which are the reference, and a
banded form without scatter operations (``windowed_gnn``). ``seed_layers`` and ``seed_stack`` train several seeds as one
program.
"""
