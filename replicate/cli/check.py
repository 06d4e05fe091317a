"""``replicate check``: hold the implementation against what is known."""

from __future__ import annotations

from pathlib import Path

import click


@click.group()
def check() -> None:
    """Hold the implementation against recorded values."""


@check.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE.npz...")
def parity(files: tuple[Path, ...]) -> None:
    """Compare both forms of the model with recorded outputs of the original code.

    Prints the largest absolute difference per file, form, setting and output; leaves with 0 only if all are
    under 1e-5.
    """
    from replicate.errors import ParityFailed
    from replicate.training.parity import TOLERANCE, compare

    failed = []
    width = max(len(path.name) for path in files)
    for path in files:
        for found in compare(path):
            word = "FAILED" if not found.passed else "ok" if found.judged else "not judged: rounding, see the README"
            where = f"{found.file:<{width}}  {found.form:<9}  {found.setting:<19}"
            click.echo(f"{where}  {found.output:<8}  {found.difference:.1e}  {word}")
            if not found.passed:
                failed.append(f"{found.file} ({found.form}, {found.setting}, {found.output})")
    if failed:
        raise ParityFailed(
            f"{len(failed)} differences of {TOLERANCE:g} or more, the first in {failed[0]}: do not trust numbers of "
            "this installation; compare your torch and torch-geometric with constraints.txt"
        )
    click.echo(f"all under {TOLERANCE:g}", err=True)
