"""COGMEN: context extractor (``context``), window graph (``graph``), the whole model (``cogmen``).

The context extractor is a transformer (``context``, ``packed``), a GRU or LSTM (``recurrent``) or a state space
(``statespace``), behind one interface (``extractor``).
The graph part has two forms on the same weights: the reference (torch_geometric) and the band (``banded``).
"""
