"""Writing ``manifest.json``: everything needed to repeat a set of tables."""

from __future__ import annotations

import json
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from replicate import __version__
from replicate.experiment.campaign import Campaign
from replicate.experiment.manifest import MANIFEST
from replicate.files import write_text
from replicate.machine import processor
from replicate.results.aggregate import TableResult
from replicate.store.keys import code_version

_PACKAGES = ("torch", "torch-geometric", "numpy", "scipy", "scikit-learn", "onnx", "onnxruntime")


def write(campaign: Campaign, results: list[TableResult], seconds: float) -> dict[str, Any]:
    """Write the manifest of a campaign's results and return its content.

    ``seconds`` is how long this command trained; runs that were complete before are not part of it.
    """
    folder = campaign.folder
    content = {
        "tables": [result.table.name for result in results],
        "corpus": {"name": campaign.corpus.name, "hash": campaign.corpus.hash, "notes": list(campaign.corpus.notes)},
        "protocol": campaign.protocol.name,
        "profile": campaign.profile.name,
        "seeds": list(campaign.seeds),
        "keep_dropped": campaign.keep_dropped,
        "command": campaign.command(),
        "source": {"data": campaign.source[0], "data_dir": campaign.source[1]},
        "runs": list(campaign.tasks),
        "deployable": campaign.deployable(),
        "store": os.path.relpath(campaign.store.root, folder),
        "device": campaign.device,
        "precision": campaign.precision,
        "stacked": campaign.stacked,
        "jobs": campaign.jobs,
        "wall_seconds": round(seconds, 1),
        "training_seconds": round(sum(campaign.seconds()), 1),
        "machine": {
            "system": platform.platform(),
            "processor": processor(),
            "cores": os.cpu_count(),
        },
        "versions": {"replicate": __version__, "code": code_version(), "python": platform.python_version()}
        | {name: _version(name) for name in _PACKAGES},
    }
    write_text(folder / MANIFEST, json.dumps(content, indent=1) + "\n")
    return content


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
