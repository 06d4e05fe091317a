"""Pieces of a ``claims.toml``: a rule, and claims on two cells of table 2."""

from __future__ import annotations

RULE = """
[rule]
test = "a test"
level = 0.05
within = [0.0625, 0.25]
[rule.margins]
above = 0.0
far = 0.125
within = 0.0625
even = 0.125
"""
CLAIM = '[[claims]]\nnumber = 1\ntext = "A claim"\n'
FIRST, SECOND = "table2/COGMEN-Mask/A", "table2/COGMEN-A/A"


def statement(relation: str = "above", first: str = FIRST, second: str = SECOND, more: str = "") -> str:
    """Return one statement of the claim above it."""
    return f'[[claims.statements]]\nfirst = "{first}"\nrelation = "{relation}"\nsecond = "{second}"\n{more}\n'
