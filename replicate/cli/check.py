"""``replicate check``: hold the implementation against what is known."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from replicate.training.parity import Comparison


@click.group()
def check() -> None:
    """Hold the implementation against recorded values."""


@check.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE.npz...")
def parity(files: tuple[Path, ...]) -> None:
    """Compare both forms of the model with recorded outputs of the original code.

    Prints the largest absolute difference per file, form, setting and output; leaves with 0 only if all are
    under 1e-5. What training leaves at its end may differ as far as this machine's rounding explains.
    """
    from replicate.errors import ParityFailed
    from replicate.training.parity import TOLERANCE, compare

    failed = []
    width = max(len(path.name) for path in files)
    for path in files:
        for found in compare(path):
            word = _word(found)
            where = f"{found.file:<{width}}  {found.form:<9}  {found.setting:<19}"
            click.echo(f"{where}  {found.output:<8}  {found.difference:.1e}  {word}")
            if not found.passed:
                failed.append(f"{found.file} ({found.form}, {found.setting}, {found.output})")
    if failed:
        raise ParityFailed(
            f"{len(failed)} differences of {TOLERANCE:g} or more, the first in {failed[0]}: do not trust numbers of "
            "this installation; compare your torch and torch-geometric with constraints.txt"
        )
    click.echo(f"all under {TOLERANCE:g}, but for rounding where it says so", err=True)


def _word(found: Comparison) -> str:
    from replicate.training.parity import ROUNDING, TOLERANCE

    if not found.passed:
        return "FAILED"
    if not found.judged:
        return "not judged: rounding, see docs/protocol-and-parity.md"
    return (
        "ok"
        if found.difference < TOLERANCE
        else f"ok: under {found.tolerance:.0e}, {ROUNDING} times what rounding moves"
    )
