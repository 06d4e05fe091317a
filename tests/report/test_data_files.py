"""CSV and JSON files: literal outputs, and full precision."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest

from replicate.metrics import BINS
from replicate.report import data_files
from replicate.results.aggregate import Comparison, Cost
from replicate.results.cell import Cell
from tests import cells
from tests.cells import made_estimate

from .conftest import cell, everything, judged, made, one_seed, single


def lines_of(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_csv(golden):
    golden(data_files.table_csv(made()), "table2.csv")


def test_json(golden):
    golden(data_files.table_json(made()), "table2.json")


def test_json_of_a_table_with_a_companion_comparisons_and_a_row_that_could_not_be_trained(golden):
    golden(data_files.table_json(everything()), "table3.json")


def test_verdicts():
    assert [line["verdict"] for line in lines_of(data_files.table_csv(judged()))] == ["inside", "", "outside"]
    assert json.loads(data_files.table_json(judged()))["rows"][1]["cells"]["AV"]["verdict"] == "outside"


def test_one_seed_has_neither_deviation_nor_interval():
    found = json.loads(data_files.table_json(one_seed()))["rows"][0]["cells"]["A"]
    assert (found["mean"], found["std"], found["n"], found["values"], found["ci95"]) == (0.5, None, 1, [0.5], None)
    (line,) = lines_of(data_files.table_csv(one_seed()))
    assert (line["std"], line["ci95_low"], line["ci95_high"], line["n"]) == ("", "", "", "1")


def test_one_seed_is_compared_without_a_test_or_an_interval():
    comparison = Comparison("a/A", "b/A", made_estimate(0.125, n=1), None, None)
    result = made(seeds=(24,), comparisons=(comparison,))
    found = json.loads(data_files.table_json(result))["comparisons"][0]
    assert (found["ci95"], found["n"], found["p"], found["p_holm"]) == (None, 1, None, None)
    (line,) = lines_of(data_files.comparisons_csv([result]))
    assert (line["ci95_low"], line["ci95_high"], line["n"], line["p"], line["p_holm"]) == ("", "", "1", "", "")


def test_full_precision_is_kept():
    value = 0.1 + 0.2
    result = single("COGMEN-A", cell(value, None, None), seeds=(24,))
    (line,) = lines_of(data_files.table_csv(result))
    assert float(line["mean"]) == float(line["values"]) == value
    assert json.loads(data_files.table_json(result))["rows"][0]["cells"]["A"]["mean"] == value
    assert float(lines_of(data_files.scores_csv([result]))[0]["value"]) == value


def test_a_row_that_could_not_be_trained_has_published_values_but_no_scores():
    line, *lacking = lines_of(data_files.table_csv(everything()))
    assert (line["table"], line["row"], line["context"]) == ("table3", "COGMEN-A", "A")
    assert [(each["row"], each["context"], each["mean"], each["n"]) for each in lacking] == [
        ("HuBERT", "A", "", "0"),
        ("HuBERT", "AV", "", "0"),
    ]
    assert {each["row"] for each in lines_of(data_files.scores_csv([everything()]))} == {"COGMEN-A"}


def test_training_costs_are_in_the_json_of_tables_that_show_them():
    result = replace(made(), costs={"COGMEN-A": Cost(2.0, 0.0), "Masked, ours": Cost(5.0, 12.0)})
    assert json.loads(data_files.table_json(result))["costs"]["Masked, ours"] == {"own": 5.0, "teachers": 12.0}
    assert "costs" not in json.loads(data_files.table_json(made()))


def test_scores_of_all_tables_one_number_a_line(golden):
    golden(data_files.scores_csv([made(), everything()]), "scores.csv")


def test_the_mean_of_a_cell_is_the_mean_of_its_scores():
    """An independent way from scores.csv to the table."""
    scores = lines_of(data_files.scores_csv([made()]))
    for line in lines_of(data_files.table_csv(made())):
        values = [
            float(each["value"])
            for each in scores
            if (each["row"], each["context"], each["metric"]) == (line["row"], line["context"], "weighted_f1")
        ]
        assert len(values) == int(line["n"]) and sum(values) / len(values) == float(line["mean"])


def test_comparisons_of_all_tables(golden):
    golden(data_files.comparisons_csv([made(), everything()]), "comparisons.csv")


def test_without_comparisons_the_file_has_its_header_alone():
    assert data_files.comparisons_csv([made()]).splitlines() == [
        "table,first,second,difference,ci95_low,ci95_high,n,p,p_holm"
    ]


def test_baselines_are_rows_without_a_seed():
    simple = {"majority class": {"A": cells.cell((0.25,))}}
    result = replace(made(), baselines=simple)
    *_, last = lines_of(data_files.table_csv(result))
    assert (last["row"], last["context"], last["mean"], last["published"]) == ("majority class", "A", "0.25", "")
    *_, last = lines_of(data_files.scores_csv([result]))
    assert (last["row"], last["seed"], last["metric"], last["value"]) == ("majority class", "", "f1:happy", "0.25")
    (saved,) = json.loads(data_files.table_json(result))["baselines"]
    assert (saved["row"], saved["cells"]["A"]["values"]) == ("majority class", [0.25])
    assert "baselines" not in json.loads(data_files.table_json(made()))


def test_every_metric_is_in_its_own_line():
    # 3 of 4 "angry" and 1 of 2 "happy" are right.
    counts = np.array([[[3, 1, 1, 1]]])
    statistics = np.concatenate([counts, np.zeros((1, 1, 3 * BINS))], -1)
    only = Cell(statistics, np.zeros(1, np.int64), ("d",), ("angry", "happy"), ("run",))
    lines = lines_of(data_files.scores_csv([single("COGMEN-A", only, seeds=(24,))]))
    found = {line["metric"]: float(line["value"]) for line in lines}
    assert found == pytest.approx(
        {
            "weighted_f1": (4 * 0.75 + 2 * 0.5) / 6,
            "accuracy": 4 / 6,
            "ua": (0.75 + 0.5) / 2,
            "macro_f1": (0.75 + 0.5) / 2,
            "ece": 0,
            "f1:angry": 0.75,
            "f1:happy": 0.5,
        }
    )


def test_published_numbers_are_left_out_next_to_another_metric():
    result = made().of("accuracy")
    lines = lines_of(data_files.table_csv(result))
    assert {(line["metric"], line["published"], line["verdict"]) for line in lines} == {("accuracy", "", "")}
    cell_of = json.loads(data_files.table_json(result))["rows"][0]["cells"]["A"]
    assert cell_of["published"] is None
