"""What this machine can compute on: its GPU, or its processor."""

from __future__ import annotations

import ast
import ctypes
import logging
import sys
from importlib.util import find_spec
from pathlib import Path

from replicate.errors import InvalidArgument, MissingDevice

DEVICES = ("auto", "cpu", "cuda")
UNTRIED = (
    "Nothing in this package was ever run on a GPU: repeat something small with --device cpu, and compare, before you "
    "use its results."
)
_log = logging.getLogger("replicate")


def resolve_device(name: str) -> str:
    """Return ``cuda`` or ``cpu``; ``auto`` is ``cuda`` where there is a GPU. A GPU gets a line that it is untried.

    Raises:
        InvalidArgument: it is none of these. MissingDevice: there is no CUDA device.
    """
    if name not in DEVICES:
        raise InvalidArgument(f"device = {name!r} is none of {', '.join(map(repr, DEVICES))}")
    gpu = name != "cpu" and _has_gpu()
    if name == "cuda" and not gpu:
        raise MissingDevice("no CUDA device on this machine, or a torch built without CUDA: use --device cpu")
    if gpu:
        _log.info(UNTRIED)
    return "cuda" if gpu else "cpu"


def _has_gpu() -> bool:
    """Return whether torch can use a GPU; it is only imported where that is possible, because it is slow to."""
    if "torch" not in sys.modules and not _may_have_gpu():
        return False
    import torch

    return torch.cuda.is_available()


def _may_have_gpu() -> bool:
    """Return False if torch was built without support for GPUs, or if there is no driver for what it supports."""
    built_for = _built_for()
    if built_for != {"cuda"} or not sys.platform.startswith("linux"):
        return bool(built_for)
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    return True


def _built_for() -> set[str]:
    """Return which of "cuda" and "hip" torch was built for, as its source says."""
    spec = find_spec("torch")
    path = Path(spec.origin or "").with_name("version.py") if spec is not None else None
    if path is None or not path.is_file():
        return {"cuda", "hip"}  # unknown: torch itself is asked
    found: dict[str, object] = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Constant):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {ast.unparse(target): node.value.value for target in targets}
    return {name for name in ("cuda", "hip") if found.get(name) is not None}
