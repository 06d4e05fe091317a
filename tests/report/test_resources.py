"""The section on what models need."""

import json
from dataclasses import replace

from replicate.report import data_files, resources, tables
from replicate.results.aggregate import Cost
from replicate.results.resources import Resources
from replicate.results.timings import Timing, Timings

from .conftest import TABLE, made

NEEDS = {"COGMEN-A": Resources("a", 6, 1234567, 2.5e6, 8_000_000), "Masked, ours": Resources("b", 6, 10, 500.0, 1500)}
COSTS = {"COGMEN-A": Cost(2.0, 0.0), "Masked, ours": Cost(3.0, 4.0)}
TIMES = Timings(1, "Processor 2", "2.0", 200, (Timing("a", 6, 3.0, 4.0),))


def result(**fields):
    return made(table=replace(TABLE, resources=True, cost="COGMEN-A"), resources=NEEDS, costs=COSTS, **fields)


def test_lines_hold_computed_and_measured_numbers():
    assert resources.grid(result(timings=TIMES)).lines == [
        ["COGMEN-A", "1,234,567", "2.50", "0.500", "8.0", "2.0", "2.0", "1.00"],
        ["Masked, ours", "10", "0.00", "–", "0.0", "3.0", "7.0", "3.50"],
    ]


def test_what_was_not_measured_is_missing_and_the_command_is_named():
    assert [line[3] for line in resources.grid(result()).lines] == ["–", "–"]
    assert "`replicate bench-inference`" in resources.conditions(result())[-1]
    assert resources.conditions(result(timings=TIMES))[-1].endswith("of the CPU (Processor 2, torch 2.0).")


def test_they_take_the_place_of_training_costs():
    text = tables.markdown(result())
    assert "parameters" in text and "seconds per run" not in text
    assert "seconds per run" in tables.markdown(made(table=replace(TABLE, cost="COGMEN-A"), costs=COSTS))


def test_the_json_file_has_them_in_full():
    found = json.loads(data_files.table_json(result(timings=TIMES)))["resources"]
    assert found["COGMEN-A"] == {
        "model": "a", "utterances": 6, "parameters": 1234567, "flops": 2.5e6, "peak_bytes": 8_000_000,
        "p50_ms": 3.0, "p90_ms": 4.0,
    }  # fmt: skip
    assert "p50_ms" not in found["Masked, ours"] and "resources" not in json.loads(data_files.table_json(made()))
