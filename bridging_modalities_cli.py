"""Start of the ``replicate`` command, in a module whose name no other project uses.

On the package index the names ``replicate`` and ``export`` belong to other projects. Where Python would import one of
those, the command says so instead of failing in an import.
"""

from __future__ import annotations

import sys
from importlib.metadata import packages_distributions, version
from importlib.util import find_spec
from pathlib import Path

# How the two packages' own files begin.
_OURS = {
    "replicate": b'"""Replication of "Bridging Modalities"',
    "export": b'"""Export a trained run as a bundle of ONNX files',
}


def main() -> None:
    """Run the command line, or exit with 1 if one of its packages is another project's."""
    try:
        _require_ours()
    except KeyboardInterrupt:
        sys.exit(130)
    from replicate.__main__ import main as run

    run()


def _require_ours() -> None:
    for package in _OURS:
        found = other_owner(package)
        if found is not None:
            sys.exit(
                f"error (other package): the package {package!r} is that of {found}, not this project's: install this "
                "project into an environment of its own (make setup)"
            )


def other_owner(package: str) -> str | None:
    """Return the distribution, or else the file, of another project's package; None if the package is ours.

    The package is not imported: it may need libraries that are not installed.
    """
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        return "no project (it has no __init__.py)"
    if Path(spec.origin).read_bytes().startswith(_OURS[package]):
        return None
    owners = [name for name in packages_distributions().get(package, []) if name != "bridging-modalities"]
    return f"{owners[0]} {version(owners[0])}" if owners else spec.origin
