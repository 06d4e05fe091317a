"""What commands print with: results on stdout, everything else on stderr, names never read as markup."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import Console


def results() -> Console:
    """For results, on stdout."""
    return _console(stderr=False)


def status() -> Console:
    """For progress and remarks, on stderr."""
    return _console(stderr=True)


def suggest(*command: object) -> None:
    """Say on stderr which command comes next, quoted so that it can be pasted."""
    click.echo(f"Next: replicate {shlex.join(map(str, command))}", err=True)


def _console(stderr: bool) -> Console:
    from rich.console import Console

    # A corpus or a folder may be called "[red]x"; that is its name, not a colour.
    console = Console(stderr=stderr, markup=False, emoji=False, highlight=False)
    if not console.is_terminal:
        console.width = 1000  # a file has no edge to cut cells at
    return console
