"""`replicate run`: its printed tables and its files hold the same numbers."""

import contextlib
import csv
import io
import json
import re
import shlex
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from replicate.cli import main
from replicate.corpus.archive import write
from replicate.corpus.synthetic import generate
from replicate.report.text import p_value


@pytest.fixture(scope="module")
def again(smoke_out, tmp_path_factory):
    """Results folder, stdout and stderr of a command whose runs were all complete."""
    out = tmp_path_factory.mktemp("again") / "out"
    shutil.copytree(smoke_out, out)
    before, stdout, stderr = signal.getsignal(signal.SIGTERM), io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr), pytest.raises(SystemExit) as exit_:
        main(["run", "table2", "--profile", "smoke", "--jobs", "1", "--out", str(out)])
    signal.signal(signal.SIGTERM, before)
    assert exit_.value.code == 0, stderr.getvalue()
    return out / "synthetic-tiny" / "smoke-paper", stdout.getvalue(), stderr.getvalue()


def cells(line):
    """Texts of a printed line, whose columns are two spaces apart."""
    return re.split(r"\s{2,}", line.strip())


def test_files_and_screen_hold_the_same_numbers(again):
    folder, stdout, stderr = again
    assert stderr.startswith("Self-test on generated features: synthetic-tiny is a positive control, no evidence ")
    assert "12 runs, 12 completed, 0 to train" in stderr and "replicate export onnx" in stderr
    content = json.loads((folder / "table2.json").read_text())
    assert [row["row"] for row in content["rows"]] == [
        *("COGMEN-A", "COGMEN-AV", "COGMEN-Mask"),
        *("student of COGMEN-Mask", "COGMEN-A + Mask", "COGMEN-Mask, more context layers"),
    ]
    lines = {line["row"] + line["context"]: line for line in csv.DictReader((folder / "table2.csv").open())}
    for row in content["rows"]:
        (printed,) = [found for found in map(cells, stdout.splitlines()) if found[0] == row["row"]]
        for context, cell in row["cells"].items():
            shown = f"{cell['mean']:.3f} ± {cell['std']:.3f}"
            assert shown in printed and shown in (folder / "table2.md").read_text()
            assert float(lines[row["row"] + context]["mean"]) == cell["mean"]
            assert cell["verdict"] is None
    assert "Positive control, a self-test of the software" in stdout


def test_comparisons_are_printed_and_written(again):
    folder, stdout, _ = again
    comparisons = json.loads((folder / "table2.json").read_text())["comparisons"]
    assert len(comparisons) == 9
    printed = {tuple(found[:2]): found[2:] for found in map(cells, stdout.splitlines()) if len(found) == 5}
    for each in comparisons:
        low, high = each["ci95"]
        shown = [f"{each['difference']:+.3f} [{low:+.3f}, {high:+.3f}]", p_value(each["p"]), p_value(each["p_holm"])]
        assert printed[each["first"], each["second"]] == shown
        assert f"| {each['first']} | {each['second']} | {' | '.join(shown)} |" in (folder / "table2.md").read_text()


def test_claims_about_the_table_are_printed_and_written(again):
    folder, stdout, _ = again
    content = json.loads((folder / "claims.json").read_text())
    outcomes = {claim["number"]: claim["outcome"] for claim in content["claims"]}
    # Half of the claims need other tables.
    assert {number for number, outcome in outcomes.items() if outcome} >= {3, 4, 5, 6, 8, 12}
    assert {1, 2, 7, 9, 10, 11} <= {number for number, outcome in outcomes.items() if outcome is None}
    for claim in content["claims"]:
        line = [f"{claim['number']}. {claim['text']}", claim["outcome"] or "not all of its cells are measured"]
        about = any(
            str(cell).startswith("table2/") for each in claim["statements"] for cell in each["statement"].values()
        )
        assert (": ".join(line) in list(map(str.strip, stdout.splitlines()))) == about
        assert f"| {' | '.join(line)} |" in (folder / "claims.md").read_text()


def test_tables_of_an_earlier_command_with_other_seeds_are_removed_with_notice(replicate, smoke_out, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(smoke_out, out)
    folder = out / "synthetic-tiny" / "smoke-paper"
    earlier = json.loads((folder / "manifest.json").read_text())
    (folder / "figures").mkdir(exist_ok=True)
    (folder / "figures" / "figure3.png").write_text("of the same")
    # A table of one's own, whose definition is not at hand.
    (folder / "mine.md").write_text("of an earlier command with other seeds")
    (folder / "manifest.json").write_text(json.dumps(earlier | {"tables": ["table2", "mine"]}))
    command = ("run", "table3", "--profile", "smoke", "--seeds", "24,", "--jobs", 1, "--out", out)
    status, _, stderr = replicate(*command)
    assert status == 0 and "(24)" in (folder / "table3.md").read_text()
    assert not {path.stem for path in folder.glob("*.md")} & {"table2", "mine"}
    assert not (folder / "figures" / "figure3.png").exists()
    (line,) = [line for line in stderr.splitlines() if line.startswith("removing")]
    assert line.startswith(f"removing mine, table2 from {folder}, ") and "seeds 24,25, now 24" in line
    assert line.endswith(f"their runs are kept, and this writes them again: {earlier['command']}")
    # The runs stay in use although the manifest was replaced, twice.
    assert "removing" not in replicate(*command).stderr
    assert "not used" not in replicate("runs", "prune", "--unused", "--dry-run", "--store", out / "runs").stdout


def test_claims_about_other_tables_are_not_printed(replicate, smoke_out, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(smoke_out, out)
    status, stdout, _ = replicate("run", "table4", "--profile", "smoke", "--jobs", 1, "--out", out)
    claims = json.loads((out / "synthetic-tiny" / "smoke-paper" / "claims.json").read_text())["claims"]
    assert status == 0 and len(claims) == 13
    printed = {int(number) for number in re.findall(r"^ *(\d+)\. ", stdout, re.MULTILINE)}
    assert printed == {claim["number"] for claim in claims if "table4/" in json.dumps(claim["statements"])}
    assert printed and len(printed) < 13


def test_a_table_without_a_manifest_is_removed_with_notice(replicate, smoke_out, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(smoke_out, out)
    (out / "synthetic-tiny" / "smoke-paper" / "table1.md").write_text("of a command that no manifest names")
    status, _, stderr = replicate("run", "table2", "--profile", "smoke", "--jobs", 1, "--out", out)
    assert status == 0 and "removing table1 from " in stderr and "an earlier command wrote them" in stderr
    assert not (out / "synthetic-tiny" / "smoke-paper" / "table1.md").exists()


def test_everything_that_is_written(smoke_results):
    names = {path.relative_to(smoke_results).as_posix() for path in smoke_results.rglob("*") if path.is_file()}
    assert {*(f"table2.{suffix}" for suffix in ("md", "tex", "tabular.tex", "csv", "json"))} <= names
    assert {"scores.csv", "comparisons.csv", "claims.md", "claims.json", "manifest.json", "index.html"} <= names
    assert {Path(name).suffix for name in names if name.startswith("figures/")} == {".png", ".svg"}
    assert not [name for name in names if Path(name).name.startswith(".")]


def test_a_name_in_brackets_is_a_name_and_no_markup(replicate, tmp_path):
    write(replace(generate("synthetic-tiny"), name="[/red]tiny"), tmp_path / "tiny.npz")
    out = tmp_path / "[b] out"
    arguments = ["--data", tmp_path / "tiny.npz", "--profile", "smoke", "--seeds", "24,", "--jobs", 1, "--out", out]
    status, stdout, stderr = replicate("run", "table2", *arguments)
    assert status == 0 and "table2 on [/red]tiny: " in stdout
    (written,) = out.glob("*/smoke-paper/table2.md")
    # The next command can be pasted: the path is quoted.
    assert shlex.split(stderr.splitlines()[-1])[-1] == str(written.parent)


@pytest.mark.parametrize("width", [60, 80])
def test_no_digit_is_cut_in_a_narrow_terminal(smoke_results, width):
    from rich.console import Console

    from replicate.report import tables
    from tests.experiment.builders import prepare

    screen = io.StringIO()
    (result,) = prepare(smoke_results.parents[1]).tables()
    tables.show(result, Console(file=screen, width=width))
    lines = list(map(cells, screen.getvalue().splitlines()))
    content = json.loads((smoke_results / "table2.json").read_text())
    assert content["corpus"]["hash"] == result.corpus_hash
    # Names may go on in the next line.
    rows = [line for line in lines if line[1:2] == ["2"]]
    for expected, row in zip(content["rows"], rows, strict=True):
        assert expected["row"].startswith(row[0])
        shown = [f"{cell['mean']:.3f} ± {cell['std']:.3f}" for cell in expected["cells"].values()]
        assert [text for text in row if "±" in text] == shown
    for each in content["comparisons"]:
        difference = f"{each['difference']:+.3f} [{each['ci95'][0]:+.3f}, {each['ci95'][1]:+.3f}]"
        assert [line for line in lines if line[-3:] == [difference, p_value(each["p"]), p_value(each["p_holm"])]]


def test_track_writes_the_runs_of_a_table_and_changes_none(smoke_out, tmp_path, replicate):
    pytest.importorskip("tensorboard", reason="needs the extra [tracking]")
    out = tmp_path / "out"
    shutil.copytree(smoke_out, out)
    before = {path: path.read_bytes() for path in (out / "runs").rglob("*") if path.is_file()}
    done = replicate("run", "table2", "--profile", "smoke", "--jobs", 1, "--out", out, "--track", "tensorboard")
    assert done.status == 0, done.stderr
    assert before == {path: path.read_bytes() for path in (out / "runs").rglob("*") if path.is_file()}
    folders = {path.parent.name for path in (out / "tensorboard" / "COGMEN-A").rglob("events.*")}
    keys = {path.parent.name for path in before if path.name == "run.json" and '"name": "COGMEN-A"' in path.read_text()}
    assert len(folders) == 2 and folders <= {f"synthetic-tiny-{key[:8]}" for key in keys}
    done = replicate("run", "table2", "--profile", "smoke", "--out", out, "--track", "wandb")
    assert done.status == 2 and "mlflow" in done.stderr
