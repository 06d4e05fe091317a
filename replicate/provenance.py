"""Where numbers come from: the commit of this package's repository, the processor, and how libraries were built."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import replicate
from replicate.limits import shown
from replicate.machine import processor
from replicate.records import check_names

# Seconds that git may take, on a slow network drive too.
_PATIENCE = 10.0
# Programs that a repository's settings name are not run: a file monitor, hooks and a pager.
_GIT = ("--no-pager", "-c", "core.fsmonitor=false", "-c", f"core.hooksPath={os.devnull}")
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
# A name for each build, and where torch's description of itself has it.
_TORCH = {
    "BLAS of torch": r"BLAS_INFO=(\w+)",
    "MKL": r"oneAPI Math Kernel Library Version (\S+)",
    "oneDNN": r"MKL-DNN v(\S+)",
    "OpenMP": r"OpenMP (\d+)",
    "instructions": r"CPU capability usage: (\S+)",
    "commit of torch": r"COMMIT_SHA=(\w+)",
}


class Revision(NamedTuple):
    """The commit of the repository that this package is loaded from, and whether nothing in it was changed since.

    Both are None where there is no repository, as for an installed wheel, or no git; ``clean`` alone where git took too
    long.
    """

    commit: str | None
    clean: bool | None


@dataclass(frozen=True)
class Provenance:
    """Where the numbers of a run come from, besides its settings and versions.

    Attributes:
        git_commit, git_clean: see ``Revision``.
        processor: its name; "unknown" where the system does not tell.
        builds: how the libraries were built that compute the numbers, and the threads that a run uses.
    """

    git_commit: str | None
    git_clean: bool | None
    processor: str
    builds: dict[str, str]

    def __post_init__(self) -> None:
        check_commit(self.git_commit)
        check_names(self, "processor", "builds")

    @classmethod
    def this(cls, device: str) -> Provenance:
        """Return the provenance of what this process computes; imports torch."""
        commit, clean = revision()
        return cls(commit, clean, processor() or "unknown", builds(device))


def check_commit(commit: str | None) -> None:
    """Refuse what is no hash of a commit. Raises: ValueError."""
    if commit is not None and not _COMMIT.fullmatch(commit):
        raise ValueError(f"git_commit = {shown(commit)} is no commit")


def in_words(commit: str | None, clean: bool | None) -> str:
    """Return a revision in a few words, as in ``commit 0123456789ab, with changes that were not committed``."""
    if commit is None:
        return "no repository"
    state = {True: "nothing changed", False: "with changes that were not committed", None: "unknown whether changed"}
    return f"commit {commit[:12]}, {state[clean]}"


def revision() -> Revision:
    """Return the revision of this package; git is asked once per process."""
    return _revision(Path(replicate.__file__).resolve().parents[1])


@functools.cache
def _revision(root: Path) -> Revision:
    """Return the revision of the repository whose top folder is ``root``; one around it, or below, is another one."""
    if not (root / ".git").exists():
        return Revision(None, None)
    found = (_git(root, "rev-parse", "--show-toplevel", "HEAD") or b"").splitlines()
    commit = found[1].decode("ascii", "replace") if len(found) == 2 else ""
    if not _COMMIT.fullmatch(commit) or Path(os.fsdecode(found[0])) != root:
        return Revision(None, None)
    changed = _git(root, "status", "--porcelain", "--untracked-files=normal")
    return Revision(commit, None if changed is None else not changed)


def _git(root: Path, *words: str) -> bytes | None:
    """Return what a git command prints in a folder; None if it fails, takes too long, or there is no git."""
    program = shutil.which("git")
    if program is None:
        return None
    # Variables such as GIT_DIR, which hooks set, would name another repository.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment |= {
        "GIT_CEILING_DIRECTORIES": str(root.parent),
        "GIT_OPTIONAL_LOCKS": "0",  # nothing is written into the repository
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_TERMINAL_PROMPT": "0",
    }
    try:
        done = subprocess.run(
            [program, *_GIT, *words],
            cwd=root,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def builds(device: str) -> dict[str, str]:
    """Return how torch and numpy were built, what of it this processor uses, and the threads of a run.

    The result is the same in every process of a machine, whatever else it has imported.
    """
    import numpy as np
    import torch

    from replicate.rng import deterministic

    text = torch.__config__.show()
    found = {name: match[1].rstrip(",") for name, pattern in _TORCH.items() if (match := re.search(pattern, text))}
    blas = np.show_config(mode="dicts").get("Build Dependencies", {}).get("blas", {})
    found["BLAS of numpy"] = f"{blas.get('name', 'unknown')} {blas.get('version', '')}".strip()
    with deterministic():
        found["threads"] = str(torch.get_num_threads())
    if device == "cuda" and torch.cuda.is_available():
        found |= {"GPU": torch.cuda.get_device_name(), "CUDA": str(torch.version.cuda)}
        found["cuDNN"] = str(torch.backends.cudnn.version())
    return found


def joined(found: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Return the builds of several runs as one; values that differ are joined by "or"."""
    values: dict[str, dict[str, None]] = {}
    for each in found:
        for name, value in each.items():
            values.setdefault(name, {})[value] = None
    return {name: " or ".join(each) for name, each in values.items()}
