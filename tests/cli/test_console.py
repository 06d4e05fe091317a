"""Status lines: what reaches stderr and the log file with -q, -v and --log-file."""

import ast
import logging
import re
import sys
from pathlib import Path

import pytest

from replicate.cli import console

DRY_RUN = ["run", "table2", "--profile", "smoke", "--dry-run"]


@pytest.fixture
def dry_run(replicate, tmp_path):
    return lambda *options: replicate(*DRY_RUN, "--out", tmp_path / "out", *options)


def test_quiet_prints_results_and_errors_only(dry_run):
    loud, quiet = dry_run(), dry_run("-q")
    assert "12 runs" in loud.stderr and loud.stdout.startswith("COGMEN-A, seed 24\n")
    assert (quiet.stdout, quiet.stderr) == (loud.stdout, "")
    assert dry_run("--quiet", "--protocol", "mine").stderr.startswith("error (invalid definition): ")


def test_lines_are_printed_once_although_a_library_sets_up_the_root_logger(dry_run):
    root = logging.getLogger()
    handler = logging.StreamHandler(sys.stderr)
    root.addHandler(handler)
    try:
        assert dry_run().stderr.count("12 runs") == 1
    finally:
        root.removeHandler(handler)


def test_verbose_adds_details(dry_run):
    loud, verbose = dry_run(), dry_run("-v")
    assert set(loud.stderr.splitlines()) < set(verbose.stderr.splitlines())
    assert "corpus hash " in verbose.stderr and "corpus hash " not in loud.stderr
    assert "corpus hash " not in dry_run().stderr  # the next command is not verbose any more


def test_verbose_and_quiet_exclude_each_other(dry_run):
    assert dry_run("-v", "-q").status == dry_run("-q", "-v").status == 2


def test_the_log_file_has_all_lines_with_times_whatever_is_printed(dry_run, tmp_path):
    path = tmp_path / "logs" / "run.log"
    assert dry_run("-q", "--log-file", path).status == 0
    assert dry_run("-q", "--log-file", path, "--protocol", "mine").status == 1
    lines = path.read_text().splitlines()
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (DEBUG|INFO|ERROR) +\S", line) for line in lines)
    assert " run table2 --profile smoke --dry-run" in lines[0]
    assert any("INFO    synthetic-tiny" in line or "12 runs" in line for line in lines)
    assert "ERROR   error (invalid definition): " in lines[-1]


def test_a_log_file_that_cannot_be_written_is_an_error(dry_run, tmp_path):
    (tmp_path / "file").write_text("")
    done = dry_run("--log-file", tmp_path / "file" / "run.log")
    assert done.status == 1 and done.stderr.startswith("error (cannot write): ") and done.stdout == ""


def test_every_command_can_be_quiet_verbose_and_logged():
    from replicate.cli import cli

    def leaves(group):
        for command in group.commands.values():
            yield from leaves(command) if hasattr(command, "commands") else [command]

    found = list(leaves(cli))
    assert len(found) > 15
    for command in found:
        names = [option for parameter in command.params for option in parameter.opts]
        assert [names.count(name) for name in ("--verbose", "--quiet", "--log-file")] == [1, 1, 1], command.name


def test_control_characters_of_a_name_do_not_reach_the_terminal(capfd):
    console.note("corpus \x1b[31mred\x07, ± and\ttab\nerror (forged): line")
    console.echo("file \x9b2J\na\tb")
    out, err = capfd.readouterr()
    assert err == "corpus \ufffd[31mred\ufffd, ± and tab error (forged): line\n"
    assert out == "file \ufffd2J\na\tb\n"


def test_the_name_of_an_arm_is_no_markup_and_no_escape_sequence(capfd):
    with console.status().status("tracing [/red]") as spinner:
        spinner.update("tracing [/blue]\x1b[2J")
    console.results().print("[bold]a[/] \x1b[2J")
    out, err = capfd.readouterr()
    assert out == "[bold]a[/] \ufffd[2J\n" and "\x1b[2J" not in err


def test_results_are_printed_by_the_console_alone():
    root = Path(console.__file__).parent
    calls = [
        f"{path.name}: {ast.unparse(node)}"
        for path in root.glob("*.py")
        if path.name != "console.py"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("print", "click.echo", "click.secho")
    ]
    assert calls == []
