"""Write docs/commands.md from the commands themselves, so that the page cannot differ from ``--help``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from replicate import grids
from replicate.cli import cli

PAGE = Path(__file__).parent / "commands.md"

INTRODUCTION = """# Commands

*Which commands and options are there?* Generated from the commands by `make readme`; `--help` after any command prints
the same. Results go to stdout, status lines to stderr. See also: [exit codes](exit-codes.md).
"""
# Options of every command, listed once.
COMMON = {"--verbose", "--quiet", "--log-file", "--help"}


def page() -> str:
    """Return the whole page as Markdown."""
    root = click.Context(cli, info_name="replicate")
    sections = [line for name in cli.commands for line in _section(root, name, cli.commands[name])]
    leaf = cli.commands["run"]
    common = _table(_context(root, "run", leaf), [each for each in _options(leaf) if COMMON & {*each.opts}])
    lines = [INTRODUCTION, "Every command takes these options:", "", *common, ""]
    return "\n".join([*lines, *sections]).rstrip() + "\n"


def _section(parent: click.Context, name: str, command: click.Command) -> Iterator[str]:
    """Yield the lines about one command, and about those below it."""
    if command.hidden:
        return
    context = _context(parent, name, command)
    yield from (f"## {context.command_path}", "")
    if not isinstance(command, click.Group):
        usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
        yield from ("```text", usage, "```", "")
    yield from (" ".join(paragraph.split()) + "\n" for paragraph in (command.help or "").split("\n\n"))
    options = [each for each in _options(command) if not COMMON & {*each.opts}]
    if options:
        yield from (*_table(context, options), "")
    if isinstance(command, click.Group):
        for below, each in command.commands.items():
            yield from _section(context, below, each)


def _context(parent: click.Context, name: str, command: click.Command) -> click.Context:
    return click.Context(command, info_name=name, parent=parent, help_option_names=["-h", "--help"])


def _options(command: click.Command) -> list[click.Option]:
    every = command.get_params(click.Context(command, help_option_names=["-h", "--help"]))
    return [each for each in every if isinstance(each, click.Option) and not each.hidden]


def _table(context: click.Context, options: list[click.Option]) -> list[str]:
    records = [record for each in options if (record := each.get_help_record(context)) is not None]
    return grids.markdown(
        ("option", "description"), [(f"`{names}`", " ".join(text.split())) for names, text in records], left=2
    )


def write() -> None:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    write()
