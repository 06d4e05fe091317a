"""Write origin.json into the folders of docs/results/: under which conditions, on what machine, and with which code.

``python -m docs.origins RESULTS`` takes them from the manifests in RESULTS, the folder of ``make results``, which names
folders of a machine and is therefore not copied itself. A manifest without a commit gets the first one whose model and
training code has the hash that the manifest names.
"""

from __future__ import annotations

import functools
import io
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import replace
from pathlib import Path

from docs.entries import DOCS, measurements
from replicate.expected.conditions import Conditions, of_manifest
from replicate.store.sources import code_hash

# Where the code is that ``replicate.store.sources`` takes the hash of, with the modules that it reads for it.
CODE = ("replicate/model", "replicate/training", "replicate/rng.py")


def origin(source: Path, target: Path) -> Conditions:
    """Return the conditions of a results folder, whose scores are those in ``target``.

    Raises:
        ValueError: ``target`` has a score that the folder does not have.
    """
    there = set((source / "scores.csv").read_text(encoding="utf-8").splitlines())
    here = (target / "scores.csv").read_text(encoding="utf-8").splitlines()
    other = next((line for line in here if line not in there), None)
    if other is not None:
        raise ValueError(f"{target} is not a copy of {source}: {other}")
    return replace(of_manifest(source), tables=tuple(dict.fromkeys(line.split(",")[0] for line in here[1:])))


@functools.cache
def first_commits(root: Path) -> dict[str, str]:
    """Return the first commit of every version of the code that all runs use, by the hash of the code."""
    found: dict[str, str] = {}
    for commit in _git(root, "log", "--reverse", "--format=%H", "--", *CODE).decode().split():
        with tempfile.TemporaryDirectory() as folder:
            with tarfile.open(fileobj=io.BytesIO(_git(root, "archive", commit, "replicate"))) as files:
                files.extractall(folder, filter="data")
            if (Path(folder) / "replicate" / "rng.py").is_file():
                found.setdefault(code_hash(Path(folder) / "replicate"), commit)
    return found


def _git(root: Path, *words: str) -> bytes:
    return subprocess.run(["git", "-C", str(root), *words], check=True, capture_output=True).stdout


def save(source: Path, target: Path) -> Path:
    """Write ``origin.json`` next to the copy of a results folder, and return its path."""
    found = origin(source, target)
    if not found.commit:
        found = replace(found, commit=first_commits(DOCS.parent).get(found.versions.get("code") or ""))
    return found.save(target)


def main(results: Path) -> None:
    """Write every ``origin.json`` whose folder is in ``results``."""
    for one in measurements():
        print(save(results / one.folder, DOCS / "results" / one.folder))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
