"""Call a command of the command line in this process, and look at what it prints."""

from __future__ import annotations

import io
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

import click

from replicate import escape


def call(command: click.Command, **given: Any) -> None:
    """Call a command with values of its options; it prints nothing that could control a terminal."""
    printed = io.StringIO()
    assert command.callback is not None
    with redirect_stdout(printed), redirect_stderr(printed):
        command.callback(**given)
    assert escape.terminal(printed.getvalue()) == printed.getvalue()
