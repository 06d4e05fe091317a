"""Tables in the terminal, as Markdown, and the files of a results folder."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from replicate.config.requirements import PRIVILEGED
from replicate.errors import CannotWrite
from replicate.report import data_files, latex, sections, tables
from replicate.results.aggregate import Comparison, Cost
from tests import cells
from tests.cells import made_estimate

from . import builders
from .conftest import TABLE, cell, everything, judged, made, one_seed, single


def printed(result, width):
    out = io.StringIO()
    tables.show(result, Console(file=out, width=width))
    return out.getvalue()


def test_markdown(golden):
    golden(tables.markdown(made()), "table2.md")


def test_markdown_with_verdicts(golden):
    golden(tables.markdown(judged()), "table2-verdicts.md")


def test_markdown_of_a_table_with_a_companion_comparisons_and_a_row_that_could_not_be_trained(golden):
    golden(tables.markdown(everything()), "table3.md")


def test_a_table_of_the_smoke_profile_says_that_its_numbers_mean_nothing():
    assert "Trained with the smoke profile (2 epochs): for trying out only" in tables.markdown(made(profile="smoke"))
    assert "smoke profile" not in tables.markdown(made(profile="quick"))


def test_one_seed_has_no_deviation():
    assert "| COGMEN-A | 1 | 0.500 (1 seed) | 0.636 | untestable | – | – | – |" in tables.markdown(one_seed())


def test_one_seed_is_compared_without_a_test_or_an_interval():
    comparison = Comparison("a/A", "b/A", made_estimate(0.125, n=1), None, None)
    markdown = tables.markdown(made(seeds=(24,), comparisons=(comparison,)))
    assert "| a/A | b/A | +0.125 | – | – |" in markdown and "neither interval nor p" in markdown


def test_a_single_test_dialogue_is_named():
    alone = Comparison("a/A", "b/A", made_estimate(0.125, (0.0, 0.25), dialogues=0), 0.05, 0.05)
    assert "over seeds alone, because a single test dialogue" in tables.markdown(made(comparisons=(alone,)))
    assert "over seeds and test dialogues" in tables.markdown(everything())


def test_speakers_that_are_resampled_are_counted():
    speakers = replace(made_estimate(0.125, (0.0, 0.25), dialogues=6), by_speaker=True)
    text = tables.markdown(made(comparisons=(Comparison("a/A", "b/A", speakers, 0.05, 0.05),)))
    assert "over seeds and the 6 test speakers, each with all dialogues;" in text


def test_a_bar_in_a_name_does_not_break_the_markdown():
    lines = tables.markdown(single("T|S", cell(0.5, 0.25, None))).splitlines()
    assert any(line.startswith(r"| T\|S |") for line in lines)
    bars = [line.replace(r"\|", "").count("|") for line in lines if line.startswith("|")]
    assert len(set(bars)) == 1


def published_columns(result):
    """Titles and notes that are about the paper's numbers."""
    titles = [column.title for column in sections.scores(result).columns if column.kind == "paper"]
    notes = sections.published_conditions(result)
    return titles, notes


def test_published_numbers_are_shown_on_their_own_corpus_alone():
    rows = judged().rows
    release, features, other = (made(control="", published_for=each, rows=rows) for each in ("release", "features", ""))
    assert published_columns(release) == (
        ["IEMOCAP-4, paper"] * 2,
        ["Published: arXiv 2401.03000, Table 2, measured on IEMOCAP-4."],
    )
    titles, notes = published_columns(features)
    assert titles == ["IEMOCAP-4, paper, other features"] * 2
    assert notes[1] == "Other features than the paper's: its numbers are for orientation, no verdict."
    assert published_columns(other)[0] == published_columns(made())[0] == []
    assert "measured on IEMOCAP-4, not on this corpus: they are not shown." in tables.markdown(other)
    for hidden in (other, made()):
        files = tables.markdown(hidden), latex.document(hidden), latex.fragment(hidden), printed(hidden, 200)
        data = data_files.table_csv(hidden), data_files.table_json(hidden), str(hidden.to_pandas().values.tolist())
        assert not any(number in file for file in (*files, *data) for number in ("0.636", "0.687"))
    assert release.to_pandas()["published"].dropna().tolist() == [0.636, 0.687]


def test_published_numbers_of_other_splits_are_for_orientation():
    notes = published_columns(made(control="", published_for="features", folds=("1", "2"), divided="2"))[1]
    assert "Other features and splits than the paper's: its numbers are for orientation, no verdict." in notes


@pytest.mark.parametrize(("letters", "theirs"), [("T", "AT"), ("TV", "ATV")])
def test_the_papers_context_is_named_where_another_stream_is_privileged(letters, theirs):
    first, second = TABLE.rows
    changed = replace(second, contexts=("A", theirs), published={theirs: 0.687}, comparable=False)
    of = replace(TABLE, contexts=("A", theirs), rows=(first, changed), privileged=letters)
    rows = {"COGMEN-A": judged().rows["COGMEN-A"], "Masked, ours": {theirs: cell(0.75, 0.125, 0.687)}}
    titles, notes = published_columns(made(table=of, rows=rows, control="", published_for="features"))
    assert titles == ["IEMOCAP-4, paper, other features", "IEMOCAP-4, paper's AV, other features"]
    assert any("privileged stream is video" in note for note in notes)


def test_a_table_that_is_not_in_the_paper_has_no_published_columns():
    markdown = tables.markdown(made(table=replace(TABLE, in_paper=False)))
    assert "| model | n | A inference | AV inference |" in markdown
    assert "This table is not in the paper." in markdown and "Published:" not in markdown


def test_every_missing_stream_is_named_and_how_to_get_it():
    result = replace(everything(), needs={"HuBERT": ("hubert-second-to-last", "visual")})
    markdown = tables.markdown(result)
    assert "| needs the hubert-second-to-last and visual streams |" in markdown
    assert "hubert --layer second-to-last RECORDINGS" in markdown
    assert "--stream hubert --as hubert-second-to-last --out both.npz`" in markdown
    assert "the visual stream: the corpus has no video features.  \n" in markdown
    assert "features opensmile RECORDINGS" in tables.markdown(replace(result, needs={"HuBERT": ("audio",)}))
    written = tables.markdown(replace(result, needs={"HuBERT": ("text",)}))
    assert "transcripts (`replicate features text TRANSCRIPTS --like CORPUS --out extra.npz`)" in written


def test_other_privileged_streams_than_the_papers_are_named_and_have_no_verdict():
    paper = builders.result(verdict="inside")
    first, second = paper.table.rows
    of = replace(paper.table, rows=(first, replace(second, comparable=False)), privileged="T")
    markdown = tables.markdown(replace(paper, table=of))
    assert f"profile {paper.profile}, privileged: text; weighted F1" in markdown
    assert (
        "The paper's privileged stream is video: its numbers for rows with another one are for orientation" in markdown
    )
    assert "privileged" not in tables.markdown(paper)


def test_a_row_without_a_privileged_stream_says_how_to_choose_one():
    markdown = tables.markdown(replace(everything(), needs={"HuBERT": ("hubert", PRIVILEGED)}))
    assert "| needs the hubert stream and a privileged stream |" in markdown
    assert "--privileged chooses visual or text features" in markdown and "hubert --layer last" in markdown


def test_training_costs_are_shown_if_the_table_asks_for_them(golden):
    costs = {"COGMEN-A": Cost(2.0, 0.0), "Masked, ours": Cost(5.0, 12.0)}
    result = replace(made(), table=replace(TABLE, cost="COGMEN-A"), costs=costs)
    golden(tables.markdown(result), "table2-costs.md")
    assert "2.50" in printed(result, 200)
    assert r"Masked, ours & 5.0 & 2.50 & 12.0" in latex.document(result)
    assert "Training costs" not in tables.markdown(made()) + latex.document(made()) + printed(made(), 200)


@pytest.mark.parametrize("result", [made(), everything()])
def test_the_terminal_shows_the_same_texts_as_the_markdown(result):
    text = printed(result, 400)
    for line in tables.markdown(result).splitlines():
        for part in line.removeprefix("**").removesuffix("**").strip("| ").split(" | "):
            assert part.startswith("---") or part.rstrip() in text


@pytest.mark.parametrize("width", [40, 60])
def test_no_number_of_a_comparison_is_cut_in_a_narrow_terminal(width):
    text = printed(everything(), width)
    for number in ("-0.031 [-0.156, +0.094]", "+0.250 [+0.125, +0.375]", "0.062", "0.500 ± 0.250"):
        assert number in text


def test_files_of_a_table(tmp_path):
    result = made()
    paths = tables.write(result, tmp_path / "new")
    assert {path.name: path.read_text(encoding="utf-8") for path in paths} == {
        "table2.md": tables.markdown(result),
        "table2.tex": latex.document(result),
        "table2.tabular.tex": latex.fragment(result),
        "table2.csv": data_files.table_csv(result),
        "table2.json": data_files.table_json(result),
    }
    assert sorted((tmp_path / "new").iterdir()) == sorted(paths)


def test_files_of_a_results_folder_hold_all_its_tables(tmp_path):
    results = [made(), everything()]
    tables.write_all(results, tmp_path)
    names = {f"{name}.{suffix}" for name in ("table2", "table3") for suffix in tables.SUFFIXES}
    assert {path.name for path in tmp_path.iterdir()} == names | {"scores.csv", "comparisons.csv"}
    assert (tmp_path / "scores.csv").read_text(encoding="utf-8") == data_files.scores_csv(results)
    assert (tmp_path / "comparisons.csv").read_text(encoding="utf-8") == data_files.comparisons_csv(results)


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotWrite, match=r"table2\.md"):
        tables.write(made(), tmp_path / "file")


SIMPLE = {
    "majority class": {"A": cells.cell((0.25,)), "AV": cells.cell((0.25,))},
    "logistic regression": {"AV": cells.cell((0.5,))},
}


def test_baselines_are_lines_under_the_rows(golden):
    result = replace(everything(), baselines=SIMPLE)
    markdown = tables.markdown(result)
    golden(markdown, "table3-baselines.md")
    assert markdown.index("| HuBERT |") < markdown.index("| majority class |")
    for text in (markdown, latex.document(result), latex.fragment(result), printed(result, 200)):
        assert "majority class" in text and "logistic regression" in text
    assert "a logistic regression (C = 0.1)" in markdown
    assert "logistic regression" not in tables.markdown(everything())


def test_another_metric_is_named_and_has_no_published_numbers(golden):
    result = replace(everything(), metric="ua")
    golden(tables.markdown(result), "table3-ua.md")
    for text in (printed(result, 200), latex.document(result), latex.fragment(result)):
        assert "unweighted recall (UA) on test" in text and "verdict" not in text
