"""Everything that is written about a finished campaign."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from replicate.config import claims as claim_definitions
from replicate.config import figures as figure_definitions
from replicate.config import tables as definitions
from replicate.experiment import collect
from replicate.experiment.campaign import Campaign
from replicate.experiment.manifest import read
from replicate.experiment.resume import with_finished
from replicate.report import claims, figures, manifest, page, tables
from replicate.report.types import Outputs
from replicate.results import claims as judging


def check() -> None:
    """Read what is needed after training alone, so that a mistake in it shows before.

    Raises:
        InvalidDefinition: in ``claims.toml`` or ``figures.toml``.
    """
    claim_definitions.load()
    figure_definitions.load()


def write(campaign: Campaign, seconds: float | None) -> Outputs:
    """Tables, claims, figures, the page and the manifest of a campaign whose runs are all finished.

    ``seconds`` is what this call trained for; with None the manifest that lies there stays, for it tells of the machine
    that trained.

    Raises:
        CorruptRun: a run is missing. DiskFull, CannotWrite: naming the file.
    """
    campaign = with_finished(campaign)
    results = collect.tables(campaign)
    rule, judged = judging.judge({result.table.name: result for result in results})
    folder = campaign.folder
    _sweep(folder, {result.table.name for result in results})
    tables.write_all(results, folder)
    claims.write(rule, judged, results[0], folder)
    conditions = read(folder) if seconds is None else manifest.write(campaign, results, seconds)
    outputs = Outputs(folder, results, rule, judged)
    drawn = figures.write(campaign, results)
    for path in (folder / "figures").glob("*.*"):
        if path.stem not in {figure.name for figure in drawn}:
            path.unlink()
    page.write(outputs, drawn, conditions)
    return outputs


def _sweep(folder: Path, names: set[str]) -> None:
    """Remove tables of an earlier command under other conditions: what lies in a folder belongs together."""
    for name in set(definitions.table_names()) - names:
        for suffix in tables.SUFFIXES:
            (folder / f"{name}.{suffix}").unlink(missing_ok=True)


def show(outputs: Outputs, names: list[str], console: Console) -> None:
    """Print the named tables, and the outcome of the claims that rest on them."""
    for result in outputs.results:
        if result.table.name in names:
            tables.show(result, console)
    if outputs.judged:
        claims.show(outputs.rule, outputs.judged, outputs.results[0], console)
