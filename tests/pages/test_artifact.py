"""ARTIFACT.md: its rows can be run and were run as written, and the command that runs them tells what came of it."""

from __future__ import annotations

import dataclasses
import json
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from docs import artifact, run_artifact
from docs.artifact import Measured, Row
from replicate.config import claims
from replicate.provenance import Revision

ROWS = artifact.rows()
EVERY = [*ROWS, *run_artifact.folder_rows()]


def row(name: str = "one", *commands: str, **others: object) -> Row:
    return Row(name, "functional", f"claim {name}", commands or ("true",), "nothing", **others)  # type: ignore[arg-type]


def measured(
    *commands: str, seconds: float = 30.0, cores: int = 2, gpu: str = "", processor: str = "a processor"
) -> Measured:
    return Measured(commands, seconds, 2_000_000_000, cores, gpu, processor, "0" * 40)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run made-up rows in an empty folder; ``{log}`` in a command is a file that they share."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(run_artifact, "folder_rows", list)
    for name in artifact.CORPORA:
        monkeypatch.delenv(name, raising=False)

    def call(rows: list[Row], *options: str) -> Result:
        monkeypatch.setattr(artifact, "rows", lambda: rows)
        return CliRunner().invoke(run_artifact.main, options)

    return call


def test_rows_have_names_of_their_own_and_need_earlier_rows():
    names = [each.name for each in EVERY]
    assert len(set(names)) == len(names)
    for place, each in enumerate(ROWS):
        assert set(each.needs) <= set(names[:place])
        assert not each.short or {one.short for one in ROWS if one.name in each.needs} <= {True}


def test_every_claim_of_the_paper_has_a_row():
    numbers = [claim.number for claim in claims.load()[1]]
    assert [each.name for each in ROWS if each.badge == "reproduced"] == [f"claim-{number}" for number in numbers]


@pytest.mark.parametrize("line", sorted({line for each in EVERY for line in each.commands if line.startswith("repl")}))
def test_commands_can_be_parsed(line, replicate):
    assert replicate(*shlex.split(line)[1:], "--help").status == 0
    assert replicate(*shlex.split(line)[1:], "--no-such-option", "--help").status == 2


def test_time_is_that_of_a_row_and_of_those_that_it_needs(monkeypatch):
    rows = [row("first", "a"), row("same", "a"), row("second", "b", needs=("first", "same")), row("third", "c")]
    monkeypatch.setattr(artifact, "rows", lambda: rows)
    monkeypatch.setattr(artifact, "measured", lambda: [measured("a", seconds=90), measured("b", seconds=30)])
    lines = artifact.table("functional").splitlines()[2:]
    assert [line.split(" | ")[2] for line in lines] == ["1.5 min, 2.0 GB", "1.5 min, 2.0 GB", "2.0 min, 2.0 GB", "–"]


def test_machines_that_were_measured_are_named_and_those_that_were_not(monkeypatch):
    monkeypatch.setattr(artifact, "measured", lambda: [measured("a")])
    assert artifact.machines() == (
        "Measured on 2 cores, a processor.\nNot measured on eight cores and a GPU: nothing of the kind was at hand.\n"
    )
    monkeypatch.setattr(artifact, "measured", lambda: [measured("a", cores=8, gpu="a GPU")])
    assert artifact.machines() == "Measured on 8 cores, a GPU.\n"


def test_a_machine_is_named_briefly():
    assert measured("a", processor="Intel(R) Xeon(R) Processor").machine == "2 cores, Intel Xeon"


def test_every_row_was_run_as_it_is_written():
    assert {each.commands for each in ROWS} <= {each.commands for each in artifact.measured()}


def test_claims_are_shown_where_most_is_tested():
    by_name = {each.name: each for each in ROWS}
    assert all("--folds speaker" in by_name[f"claim-{number}"].commands[0] for number in (3, 4, 5, 6, 8, 12))
    assert all(by_name[f"claim-{number}"].short for number in (3, 12)) and not by_name["claim-1"].short
    assert by_name["claim-13"].needs == ("claim-7", "claim-9")
    assert by_name["claim-10"].needs == ("control",) and "not measured" in by_name["claim-10"].expected


def test_a_later_measurement_replaces_an_earlier_one_of_the_same_machine(tmp_path):
    path = tmp_path / "artifact.json"
    artifact.save([measured("a", seconds=1), measured("a", seconds=2), measured("a", cores=8), measured("b")], path)
    assert [(each.commands, each.seconds, each.cores) for each in artifact.measured(path)] == [
        (("a",), 2.0, 2),
        (("a",), 30.0, 8),
        (("b",), 30.0, 2),
    ]


def test_rows_are_run_once_for_the_same_commands(run, tmp_path):
    done = run([row("first", "echo it >> log"), row("second", "echo it >> log"), row("other", "false", short=True)])
    assert done.exit_code == 3 and (tmp_path / "log").read_text() == "it\n"
    assert "as expected: the commands of first" in done.stdout
    assert "failed: other; outputs" in done.stdout
    assert run([row("first", "true", short=True), row("other", "false")], "--short").exit_code == 0


def test_a_row_ends_with_the_first_command_that_fails_and_shows_its_output(run, tmp_path):
    done = run([row("one", "echo what it printed; echo a status >&2", "exit 3", "touch later")])
    assert done.exit_code == 3 and not (tmp_path / "later").exists()
    assert "    $ exit 3\n  exit 3 exited with 3\n" in done.stdout and "    a status\n" in done.stderr
    kept = (tmp_path / "results" / "artifact" / "one.txt").read_text()
    assert kept == "$ echo what it printed; echo a status >&2\nwhat it printed\na status\n$ exit 3\n"


def test_a_row_without_its_corpus_is_not_run_and_not_counted(run, tmp_path):
    rows = [row("needs", 'cat "$IEMOCAP4"'), row("one", "true")]
    done = run(rows)
    assert done.exit_code == 0
    assert "as expected: 1 row of 2" in done.stdout
    assert "not run, because their corpus is not here: needs" in done.stdout
    (tmp_path / "a corpus").write_text("of mine")
    done = CliRunner().invoke(run_artifact.main, env={"IEMOCAP4": "a corpus"})
    assert "as expected: 2 rows of 2" in done.stdout
    done = CliRunner().invoke(run_artifact.main, env={"IEMOCAP4": "elsewhere"})
    assert done.exit_code == 2 and f"there is no {tmp_path / 'elsewhere'}: give IEMOCAP4=PATH" in done.output


def test_a_corpus_of_the_short_path_has_to_be_downloaded_or_given(run, monkeypatch):
    monkeypatch.setattr(run_artifact, "fetched", lambda corpus: False)
    done = run([row("needs", 'cat "$RAVDESS"', short=True)])
    assert done.exit_code == 2 and "cannot download ravdess4: give RAVDESS=PATH of the corpus" in done.output
    done = run([row("needs", 'cat "$MOSI"'), row("one", "true")])
    assert done.exit_code == 0 and "because their corpus is not here: needs" in done.stdout


def test_a_published_corpus_is_downloaded_and_named(run, monkeypatch):
    asked = []
    monkeypatch.setattr(run_artifact, "fetched", lambda corpus: not asked.append(corpus))
    done = run([row("needs", 'test "$RAVDESS" = ravdess4'), row("also", 'test "$RAVDESS"')])
    assert done.exit_code == 0 and asked == ["ravdess4"]


def test_names_of_rows_may_be_chosen(run):
    rows = [row("first", "true"), row("second", "false"), row("third", "true"), row("last", "true", needs=("third",))]
    assert run(rows, "--row", "first").exit_code == 0
    assert "as expected: 2 rows of 2" in run(rows, "--row", "last").stdout
    done = run(rows, "--row", "fourth")
    assert done.exit_code == 2 and "no row 'fourth': there are first, second" in done.output


def test_an_interrupt_says_how_to_go_on(run, monkeypatch):
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(run_artifact, "run_row", interrupted)
    done = run([row()])
    assert done.exit_code == 130 and "the same command goes on" in done.output


def test_time_and_memory_are_measured_where_nothing_failed(run, monkeypatch, tmp_path):
    path = tmp_path / "artifact.json"
    path.write_text('{"format": 1, "measured": []}')
    for name in ("measured", "save"):
        function = getattr(artifact, name)
        monkeypatch.setattr(artifact, name, lambda *found, _call=function: _call(*found, path))
    monkeypatch.setattr(run_artifact, "INTERVAL", 0.01)
    monkeypatch.setattr(run_artifact, "revision", lambda: Revision("0" * 40, True))
    hog = "python3 -c 'import time; held = b\"1\" * 50_000_000; time.sleep(0.5)'"
    run([row("one", hog), row("other", "false")], "--measure")
    (one,) = json.loads(path.read_text())["measured"]
    assert one["commands"] == [hog] and 0.5 <= one["seconds"] < 30 and one["memory"] > 50e6


def test_nothing_is_measured_with_results_or_changes(run, monkeypatch, tmp_path):
    monkeypatch.setattr(run_artifact, "revision", lambda: Revision("0" * 40, False))
    done = run([row()], "--measure")
    assert done.exit_code == 2 and "or there are changes since: measure in a fresh clone" in done.output
    (tmp_path / "results").mkdir()
    done = run([row()], "--measure")
    assert done.exit_code == 2 and "there is a folder results/: measure in a fresh clone" in done.output


def test_rows_are_known_by_their_badge():
    with pytest.raises(Exception, match="unknown badge"):
        dataclasses.replace(row(), badge="shiny")


def test_folders_are_trained_by_their_commands():
    lines = artifact.folders().splitlines()[2:]
    assert len(lines) == len(run_artifact.folder_rows())
    for each in run_artifact.folder_rows():
        assert Path(each.commands[-1].rsplit(" ", 1)[-1]).parts[0] == "results"
