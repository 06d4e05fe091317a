"""The section on exported files."""

import json
from dataclasses import replace

from replicate.report import data_files, deployments, tables
from replicate.results.deployments import Deployment, Deployments

from .conftest import TABLE, made


def result(*found):
    table = replace(TABLE, deployments=True, in_paper=False)
    return made(table=table, deployments=Deployments(1, None, "1.2", 200, 30, found) if found else None)


def measured():
    runs = next(iter(made().rows["COGMEN-A"].values())).runs
    fp32 = Deployment("table2", "COGMEN-A", "fp32", runs, (0.25, 0.75), (0.5, 0.5), 1.5, 2.0, 7.75, 70.4)
    int8 = replace(fp32, precision="int8", dev_f1=(0.25, 0.25), p50=0.75, peak_megabytes=None)
    return fp32, int8, replace(int8, precision="fp32", p50=3.0, row="Masked, ours", runs=("other",))


def test_every_precision_is_a_line_and_what_was_not_measured_has_dashes():
    assert deployments.grid(result(*measured())).lines == [
        ["COGMEN-A", "fp32", "0.500 ± 0.354", "0.500 ± 0.000", "1.50", "7.8", "70", "yes"],
        ["COGMEN-A", "int8", "0.250 ± 0.000", "0.500 ± 0.000", "0.75", "7.8", "–", "yes"],
        ["Masked, ours", *["–"] * 7],
    ]


def test_the_notes_name_the_command_or_the_machine():
    (note,) = deployments.conditions(result())
    assert "`replicate bench-inference`" in note
    first, _ = deployments.conditions(result(*measured()))
    assert "200 calls for one dialogue of 30 utterances" in first and "(an unknown processor, onnxruntime 1.2)" in first


def test_the_files_have_them_where_the_table_asks():
    assert "| COGMEN-A | int8 | 0.250 ± 0.000 |" in tables.markdown(result(*measured()))
    assert "weights" not in tables.markdown(made())
    found = json.loads(data_files.table_json(result(*measured())))["deployments"]
    assert [each["p50"] for each in found] == [1.5, 0.75]


def test_a_table_without_a_trained_row_has_no_such_section():
    none = replace(result(), rows={row.name: {} for row in TABLE.rows}, failed={"COGMEN-A": "x", "Masked, ours": "x"})
    assert "weights" not in tables.markdown(none)
