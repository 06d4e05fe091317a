"""Faults of the environment: packages that cannot be loaded, and others that overwrite this one.

Detection of other distributions that install packages of the same names, ``replicate`` or ``export``.

On the package index these two names belong to other projects. Installed into one environment, each overwrites the files
of the other, and uninstalling one removes them.
"""

from __future__ import annotations

import os
import re
import sys
import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path

from replicate.errors import CannotLoad

OURS = "bridging_modalities"
PACKAGES = ("replicate", "export")
# How variables begin that packages read while they are imported.
_READ = ("HF_", "TORCH", "PYTORCH", "TRANSFORMERS_", "MPL", "CUDA_", "OMP_", "MKL_", "ORT_", "NUMBA_", "SCIPY_")


def broken_package(error: BaseException) -> CannotLoad | None:
    """Return what to report about a package of somebody else that cannot be imported, None for any other error.

    Some evaluate environment variables then, such as ``HF_HUB_ETAG_TIMEOUT`` and ``TORCH_LOGS``.
    """
    importing = [
        str(frame.f_globals.get("__name__")).partition(".")[0]
        for frame, _ in traceback.walk_tb(error.__traceback__)
        if frame.f_code.co_name == "<module>"
    ]
    if not importing or importing[-1] in (*PACKAGES, "__main__", "None"):
        return None
    text = str(error)
    quoted = [*re.findall(r"[\w./-]+", text)]
    read = [name for name, value in os.environ.items() if name.startswith(_READ) and value in quoted]
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return CannotLoad(
        f"{importing[-1]} ({type(error).__name__}: {lines[0][:200] if lines else ''}): correct "
        f"{' or '.join(read) or 'the environment variable that it reads'}, or install it again"
    )


def warning(places: Iterable[str] | None = None) -> str | None:
    """Return one line that names another distribution with a package of ours, None if there is none.

    ``places`` are the folders to search for installed distributions, by default those of ``sys.path``.
    """
    for place in dict.fromkeys(sys.path if places is None else places):
        for name, package in _owners(Path(place)):
            if name.partition("-")[0].lower() != OURS:
                return (
                    f"warning: {' '.join(name.rsplit('-', 1))} also installs a package {package}, and overwrites this "
                    "project's: install this project into an environment of its own (make setup)"
                )
    return None


def _owners(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield "name-version" of each distribution in a folder that owns one of our packages, and the package."""
    # Lists of files are searched as bytes: importlib.metadata.packages_distributions() takes as long as all of --help.
    for metadata in sorted([*folder.glob("*.dist-info"), *folder.glob("*.egg-info")]):
        try:
            listed = (
                b"\n" + (metadata / ("RECORD" if metadata.suffix == ".dist-info" else "top_level.txt")).read_bytes()
            )
        except OSError:
            continue
        ends = b"/" if metadata.suffix == ".dist-info" else b"\n"
        for package in PACKAGES:
            if b"\n" + package.encode() + ends in listed:
                yield metadata.stem, package
