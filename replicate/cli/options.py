"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path

import click

results = click.option(
    "--results",
    type=click.Path(path_type=Path),
    default=Path("results"),
    show_default=True,
    help="Results folder; of several finished ones below it, the newest.",
)
