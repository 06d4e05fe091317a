"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

results = click.option(
    "--results",
    type=click.Path(path_type=Path),
    default=Path("results"),
    show_default=True,
    help="Results folder; of several finished ones below it, the newest.",
)

_TRAINING = (
    click.option("--data", metavar="NAME|PATH", help="Corpus by name or file (default: the profile's)."),
    click.option("--data-dir", type=click.Path(path_type=Path), help="Folder that holds the files of a named corpus."),
    click.option(
        "--profile",
        default="quick",
        show_default=True,
        help="How much work: smoke (seconds), quick (minutes), paper (full size).",
    ),
    click.option(
        "--protocol",
        default="paper",
        show_default=True,
        help="paper: the text's reading; released: the released code's. Single knobs can be changed: "
        "paper+hubert.projection=none,masking.unit=batch (all in tables/protocols.toml).",
    ),
    click.option("--seeds", help="Seeds such as 24,25,26, or a count such as 5 (default: the profile's)."),
    click.option(
        "--device",
        type=click.Choice(["auto", "cpu", "cuda"]),
        default="auto",
        show_default=True,
        help="Where to train.",
    ),
    click.option(
        "--jobs",
        type=click.IntRange(1),
        help="Runs at a time, one thread each (default: one per core, 1 on a GPU). Same numbers with any.",
    ),
    click.option(
        "--out",
        type=click.Path(path_type=Path),
        default=Path("results"),
        show_default=True,
        help="Folder for results; finished runs in it are not repeated.",
    ),
    click.option(
        "--repair", is_flag=True, help="Train damaged runs again; without it they are named and nothing is done."
    ),
    click.option("--dry-run", is_flag=True, help="Say what would be trained, and train nothing."),
)


def training(command: F) -> F:
    """The options of every command that trains, from --data to --dry-run."""
    for option in reversed(_TRAINING):
        command = option(command)
    return command
