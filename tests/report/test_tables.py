import csv
import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from replicate.errors import CannotWrite
from replicate.report import data_files, latex, tables
from replicate.results.aggregate import Comparison, Cost
from replicate.results.statistics import Summary

from .conftest import TABLE, cell, everything, judged, made, one_seed, single

MARKDOWN = """\
**table2 on synthetic-tiny: Masked training**

| model | n | A inference | IEMOCAP-4, paper | AV inference | IEMOCAP-4, paper |
|---|---:|---:|---:|---:|---:|
| COGMEN-A | 2 | 0.500 ± 0.250 | 0.636 | – | – |
| Masked, ours | 2 | 0.625 ± 0.062 | – | 0.750 ± 0.125 | 0.687 |

Measured on synthetic-tiny (0123456789ab), protocol paper, profile smoke; weighted F1 on test, mean ± sample deviation \
over n = 2 seeds (24, 25); epoch chosen on dev.  \n\
Published: arXiv 2401.03000, Table 2, measured on IEMOCAP-4.  \n\
No verdict: this is not the corpus of the published numbers, they are for orientation only.  \n\
Synthetic corpus: generated – no replication.  \n"""

CSV = """\
table,row,context,mean,std,n,ci95_low,ci95_high,published,published_std,verdict,corpus,protocol,profile,seeds,values
table2,COGMEN-A,A,0.5,0.25,2,0.375,0.625,0.636,,,synthetic-tiny,paper,smoke,24 25,0.375 0.625
table2,"Masked, ours",A,0.625,0.0625,2,0.5,0.75,,,,synthetic-tiny,paper,smoke,24 25,0.5 0.75
table2,"Masked, ours",AV,0.75,0.125,2,0.625,0.875,0.687,,,synthetic-tiny,paper,smoke,24 25,0.625 0.875
"""

JUDGED = """\
| model | n | A inference | IEMOCAP-4, paper | verdict | AV inference | IEMOCAP-4, paper | verdict |
|---|---:|---:|---:|---:|---:|---:|---:|
| COGMEN-A | 2 | 0.500 ± 0.250 | 0.636 | inside | – | – | – |
| Masked, ours | 2 | 0.625 ± 0.062 | – | – | 0.938 ± 0.062 | 0.687 | outside |
"""


def test_markdown():
    assert tables.markdown(made()) == MARKDOWN


def test_csv():
    assert data_files.table_csv(made()) == CSV


def test_json():
    def numbers(mean, std, values, published):
        return {
            "mean": mean,
            "std": std,
            "n": 2,
            "values": values,
            "ci95": values,
            "by_class": [[0.5, 0.25], [0.75, 0.0]],
            "published": published,
            "published_std": None,
            "verdict": None,
        }

    text = data_files.table_json(made())
    assert json.loads(text) == {
        "table": "table2",
        "corpus": {
            "name": "synthetic-tiny",
            "hash": "0123456789abcdef" * 4,
            "notes": ["synthetic corpus: generated – no replication"],
        },
        "profile": "smoke",
        "protocol": "paper",
        "seeds": [24, 25],
        "rows": [
            {"row": "COGMEN-A", "cells": {"A": numbers(0.5, 0.25, [0.375, 0.625], 0.636)}},
            {
                "row": "Masked, ours",
                "cells": {
                    "A": numbers(0.625, 0.0625, [0.5, 0.75], None),
                    "AV": numbers(0.75, 0.125, [0.625, 0.875], 0.687),
                },
            },
        ],
        "comparisons": [],
    }
    assert list(json.loads(text)) == ["table", "corpus", "profile", "protocol", "seeds", "rows", "comparisons"]
    assert text.endswith("}\n")


def test_verdicts_stand_beside_where_there_are_any():
    markdown = tables.markdown(judged())
    assert JUDGED in markdown and "No verdict" not in markdown
    assert [line["verdict"] for line in csv.DictReader(io.StringIO(data_files.table_csv(judged())))] == [
        "inside",
        "",
        "outside",
    ]
    assert json.loads(data_files.table_json(judged()))["rows"][1]["cells"]["AV"]["verdict"] == "outside"


def test_one_seed_has_no_spread_anywhere():
    result = one_seed()
    found = json.loads(data_files.table_json(result))["rows"][0]["cells"]["A"]
    assert found == {
        "mean": 0.5,
        "std": None,
        "n": 1,
        "values": [0.5],
        "ci95": None,
        "by_class": [[0.5, 0.25]],
        "published": 0.636,
        "published_std": None,
        "verdict": "untestable",
    }
    assert "| COGMEN-A | 1 | 0.500 (1 seed) | 0.636 | untestable | – | – | – |" in tables.markdown(result)
    (line,) = csv.DictReader(io.StringIO(data_files.table_csv(result)))
    assert (line["std"], line["ci95_low"], line["ci95_high"], line["n"]) == ("", "", "", "1")


def test_full_precision_survives_csv_and_json():
    value = 0.1 + 0.2
    result = single("COGMEN-A", cell(value, None, None))
    (line,) = csv.DictReader(io.StringIO(data_files.table_csv(result)))
    assert float(line["mean"]) == float(line["values"]) == value
    assert json.loads(data_files.table_json(result))["rows"][0]["cells"]["A"]["mean"] == value


def test_a_bar_in_a_name_does_not_break_the_markdown():
    lines = tables.markdown(single("T|S", cell(0.5, 0.25, None))).splitlines()
    assert any(line.startswith(r"| T\|S |") for line in lines)
    bars = [line.replace(r"\|", "").count("|") for line in lines if line.startswith("|")]
    assert len(set(bars)) == 1


def test_nothing_published_on_the_right_corpus_is_not_called_the_wrong_corpus():
    """On iemocap4 without published values there is no verdict, but for another reason."""
    result = single("COGMEN-A", cell(0.5, 0.25, None), corpus="iemocap4", notes=())
    assert "not the corpus of the published numbers" not in tables.markdown(result)


def test_the_screen_shows_the_same_cells():
    out = io.StringIO()
    tables.show(made(), Console(file=out, width=250))
    text = out.getvalue()
    for line in MARKDOWN.splitlines():
        for part in line.removeprefix("**").removesuffix("**").strip("| ").split(" | "):
            assert part.startswith("---") or part.rstrip() in text


def test_files(tmp_path):
    paths = tables.write(made(), tmp_path / "new")
    assert [path.name for path in paths] == ["table2.md", "table2.tex", "table2.csv", "table2.json"]
    assert paths[0].read_text(encoding="utf-8") == MARKDOWN and paths[2].read_text() == CSV
    assert paths[1].read_text(encoding="utf-8") == latex.document(made())
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == sorted(path.name for path in paths)


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotWrite, match=r"table2\.md"):
        tables.write(made(), tmp_path / "file")


EVERYTHING = """\
**table3 on synthetic-tiny: Without the graph**

| model | n | A inference | IEMOCAP-4, paper | A, full graph | IEMOCAP-4, paper, full graph | AV inference \
| IEMOCAP-4, paper | AV, full graph | IEMOCAP-4, paper, full graph |
|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|
| COGMEN-A | 2 | 0.500 ± 0.250 | 0.500 ± 0.062 | 0.750 ± 0.125 | 0.625 ± 0.031 | – | – | – | – |
| HuBERT | – | needs the hubert stream | 0.250 | – | – | needs the hubert stream | 0.375 ± 0.125 | – | – |

| first | second | difference [95 % interval] | p | p (Holm) |
|---|---|---:|---:|---:|
| COGMEN-A/A | HuBERT/A | -0.031 [-0.156, +0.094] | 0.500 | 1.000 |
| HuBERT/AV | HuBERT/A | +0.250 [+0.125, +0.375] | 0.062 | 0.125 |

Differences are paired over seeds: mean, 95 % bootstrap interval, two-sided paired permutation test, Holm correction \
for the number of comparisons in this table, 2; with 2 seeds no p can be below 0.5.  \n\
Measured on synthetic-tiny (0123456789ab), protocol paper, profile smoke; weighted F1 on test, mean ± sample deviation \
over n = 2 seeds (24, 25); epoch chosen on dev.  \n\
Published: arXiv 2401.03000, Table 3, measured on IEMOCAP-4.  \n\
No verdict: this is not the corpus of the published numbers, they are for orientation only.  \n\
Rows that need the hubert stream: no public release has it; extract it from recordings (`replicate features hubert \
--layer last RECORDINGS --out extra.npz`), attach it (`replicate data merge CORPUS extra.npz --stream hubert --out \
both.npz`), and run on that file.  \n\
Pairs share a teacher.  \n\
Synthetic corpus: generated – no replication.  \n"""


def test_markdown_of_everything_that_a_table_may_hold():
    assert tables.markdown(everything()) == EVERYTHING


COSTS = """\
| model | seconds a run | in runs of COGMEN-A | seconds of its teachers |
|---|---:|---:|---:|
| COGMEN-A | 2.0 | 1.00 | – |
| Masked, ours | 5.0 | 2.50 | 12.0 |
"""


def test_what_training_costs_is_shown_where_the_table_says_so():
    plain = made()
    costs = {"COGMEN-A": Cost(2.0, 0.0), "Masked, ours": Cost(5.0, 12.0)}
    shown = replace(plain, table=replace(plain.table, cost="COGMEN-A"), costs=costs)
    assert COSTS in tables.markdown(shown) and "seconds" not in tables.markdown(plain)
    assert json.loads(data_files.table_json(shown))["costs"]["Masked, ours"] == {"own": 5.0, "teachers": 12.0}
    assert "costs" not in json.loads(data_files.table_json(plain))
    out = io.StringIO()
    tables.show(shown, Console(file=out, width=200))
    assert "in runs of COGMEN-A" in out.getvalue() and "2.50" in out.getvalue()
    assert r"Masked, ours & 5.0 & 2.50 & 12.0" in latex.document(shown) and "costs" not in latex.document(plain)


def test_the_screen_shows_everything_too():
    out = io.StringIO()
    tables.show(everything(), Console(file=out, width=400))
    text = out.getvalue()
    for line in EVERYTHING.splitlines():
        for part in line.removeprefix("**").removesuffix("**").strip("| ").split(" | "):
            assert part.startswith("---") or part.rstrip() in text


@pytest.mark.parametrize("width", [40, 60])
def test_no_number_of_a_comparison_is_cut_in_a_narrow_terminal(width):
    out = io.StringIO()
    tables.show(everything(), Console(file=out, width=width))
    for number in ("-0.031 [-0.156, +0.094]", "+0.250 [+0.125, +0.375]", "0.062", "0.500 ± 0.250"):
        assert number in out.getvalue()


def test_json_of_everything_that_a_table_may_hold():
    content = json.loads(data_files.table_json(everything()))
    assert content["comparisons"] == [
        {
            "first": "COGMEN-A/A",
            "second": "HuBERT/A",
            "difference": -0.03125,
            "ci95": [-0.15625, 0.09375],
            "n": 2,
            "p": 0.5,
            "p_holm": 1.0,
        },
        {
            "first": "HuBERT/AV",
            "second": "HuBERT/A",
            "difference": 0.25,
            "ci95": [0.125, 0.375],
            "n": 2,
            "p": 0.0625,
            "p_holm": 0.125,
        },
    ]
    speech, hubert = content["rows"]
    assert (hubert["row"], hubert["needs"], list(hubert["cells"])) == ("HuBERT", ["hubert"], ["A", "AV"])
    for empty in hubert["cells"].values():
        assert (empty["mean"], empty["std"], empty["n"], empty["ci95"]) == (None, None, 0, None)
    assert "needs" not in speech and list(speech["beside"]) == ["A"]
    assert (speech["beside"]["A"]["mean"], speech["beside"]["A"]["published"]) == (0.75, 0.625)


def test_every_stream_that_a_row_lacks_is_named_and_how_to_get_it():
    result = replace(everything(), needs={"HuBERT": ("hubert-second-to-last", "visual")})
    markdown = tables.markdown(result)
    assert "| needs the hubert-second-to-last and visual streams |" in markdown
    assert "hubert --layer second-to-last RECORDINGS" in markdown
    assert "--stream hubert --as hubert-second-to-last --out both.npz`" in markdown
    assert "Rows that need the visual stream: the corpus has no video features.  \n" in markdown
    assert json.loads(data_files.table_json(result))["rows"][1]["needs"] == ["hubert-second-to-last", "visual"]
    assert "features opensmile RECORDINGS" in tables.markdown(replace(result, needs={"HuBERT": ("audio",)}))


def test_a_row_that_could_not_be_trained_has_its_published_values_in_the_csv():
    line, *lacking = csv.DictReader(io.StringIO(data_files.table_csv(everything())))
    assert (line["table"], line["row"], line["context"]) == ("table3", "COGMEN-A", "A")
    assert [(each["row"], each["context"], each["mean"], each["n"]) for each in lacking] == [
        ("HuBERT", "A", "", "0"),
        ("HuBERT", "AV", "", "0"),
    ]


def test_one_seed_is_compared_without_a_test_or_an_interval():
    comparison = Comparison("a/A", "b/A", Summary(0.125, None, 1, None), None, None)
    result = made(seeds=(24,), comparisons=(comparison,))
    markdown = tables.markdown(result)
    assert "| a/A | b/A | +0.125 | – | – |" in markdown and "no p can be below" not in markdown
    found = json.loads(data_files.table_json(result))["comparisons"][0]
    assert (found["ci95"], found["n"], found["p"], found["p_holm"]) == (None, 1, None, None)


def test_a_table_that_is_not_in_the_paper_has_no_published_columns():
    result = made(table=replace(TABLE, in_paper=False))
    markdown = tables.markdown(result)
    assert "| model | n | A inference | AV inference |" in markdown
    assert "This table is not in the paper." in markdown and "Published:" not in markdown
