"""The comparison of one table trained in several ways."""

from docs.compare_paths import SELF_TEST, WAYS, compare, summaries


def table(*values: float, control: str | None = None) -> dict:
    cell = {"mean": sum(values) / len(values), "std": 0.02, "values": list(values)}
    rows = [{"row": "COGMEN-A", "cells": {"A": cell}}]
    corpus = {"name": "mine", "control": control}
    return {"table": "table2", "corpus": corpus, "profile": "quick", "seeds": [24, 25], "rows": rows}


def test_differences_are_seed_by_seed():
    text = compare({"float32": table(0.5, 0.6), "bf16": table(0.5, 0.7)})
    assert "| model | inference | float32 | bf16 |" in text
    assert "| COGMEN-A | A | 0.550 ± 0.020 | 0.600 ± 0.020 |" in text
    assert text.endswith(
        "- bf16: +0.0500 on average; means at most 2.50 deviations apart; 1 of 2 scores are the same.\n"
    )


def test_the_block_has_a_line_of_each_page():
    lines = summaries().split()
    assert lines.count("-") == len(WAYS) == 2 and "stacked:" in lines and "bf16:" in lines


def test_a_control_is_named_as_a_self_test():
    assert SELF_TEST not in compare({"float32": table(0.5, 0.6)})
    assert SELF_TEST in compare({"float32": table(0.5, 0.6, control="positive")})
