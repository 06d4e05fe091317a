"""Campaigns that earlier commands left: read from a manifest, and put together with the one at hand."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from replicate.config import tables
from replicate.config.requirements import trainable
from replicate.errors import ReplicateError, UnknownCorpus
from replicate.experiment.campaign import Campaign
from replicate.experiment.manifest import MANIFEST, peek, read, unreadable


def from_manifest(folder: Path) -> Campaign:
    """The campaign whose results lie in ``folder``.

    Raises:
        NotThisFormat: its manifest cannot be read. UnknownCorpus: the corpus has changed or gone.
    """
    found = read(folder)
    try:
        data_dir = found["source"]["data_dir"]
        campaign = Campaign.prepare(
            list(found["tables"]),
            str(found["profile"]),
            str(found["protocol"]),
            ",".join(map(str, found["seeds"])) + ",",
            str(found["source"]["data"]),
            None if data_dir is None else Path(data_dir),
            "cpu",
            None,
            Path(os.path.normpath(folder / found["store"])).parent,
            bool(found["keep_dropped"]),
            found["precision"],
            bool(found["stacked"]),
        )
        # The device is part of what its runs are called; to look at them it need not be here.
        campaign = replace(campaign, device=str(found["device"]))
        known = str(found["corpus"]["hash"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise unreadable(folder, error) from error
    if campaign.corpus.hash != known:
        raise UnknownCorpus(
            f"corpus {campaign.corpus.name} has changed since {folder / MANIFEST} was written: run again"
        )
    return campaign


def with_finished(campaign: Campaign) -> Campaign:
    """The campaign with every table that an earlier command finished under the same conditions.

    So that results, claims and the page of one folder rest on all of its tables, whatever was asked for last.
    """
    try:
        found = peek(campaign.folder)
        ours = [list(campaign.seeds), campaign.device, campaign.stacked]
        same = [found["seeds"], found["device"], found["stacked"]] == ours
        earlier = set(found["tables"]) if same else set()
    except (KeyError, TypeError):
        earlier = set()
    asked = {table.name for table in campaign.tables}
    names = [name for name in tables.table_names() if name in asked | earlier]
    return replace(campaign, tables=tuple(tables.table(n) for n in names if n in asked or _whole(campaign, n)))


def _whole(campaign: Campaign, name: str) -> bool:
    """Whether every run of a table is in the store as it was written."""
    table = tables.table(name)
    try:
        return trainable(table, campaign.corpus) and not replace(campaign, tables=(table,)).missing()
    except ReplicateError:
        return False
