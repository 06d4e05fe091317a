"""The comparison of one table trained in several ways."""

from docs.compare_paths import compare


def table(*values: float) -> dict:
    cell = {"mean": sum(values) / len(values), "std": 0.02, "values": list(values)}
    rows = [{"row": "COGMEN-A", "cells": {"A": cell}}]
    return {"table": "table2", "corpus": {"name": "mine"}, "profile": "quick", "seeds": [24, 25], "rows": rows}


def test_differences_are_seed_by_seed():
    text = compare({"float32": table(0.5, 0.6), "bf16": table(0.5, 0.7)})
    assert "| model | inference | float32 | bf16 |" in text
    assert "| COGMEN-A | A | 0.550 ± 0.020 | 0.600 ± 0.020 |" in text
    assert text.endswith(
        "- bf16: +0.0500 on average; means at most 2.50 deviations apart; 1 of 2 scores are the same.\n"
    )
