"""Teacher outputs on disk: one file per teacher, computed for its first student and read by all others."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from replicate.files import atomic_path
from replicate.store.prediction_file import are_log_probabilities

if TYPE_CHECKING:  # torch is slow to import
    from replicate.training.distillation.base import TeacherOutputs

_SPLITS = ("train", "dev")


def read(path: Path) -> TeacherOutputs | None:
    """Return the teacher outputs in a file; None if it is missing or damaged, since they can be computed again."""
    import torch

    from replicate.training.distillation.base import TeacherOutputs, UtteranceOutputs

    found = _checked(path)
    if found is None:
        return None
    arrays, origin = found
    try:
        train, dev = (
            UtteranceOutputs(*(torch.from_numpy(arrays[f"{split}/{field}"]) for field in UtteranceOutputs._fields))
            for split in _SPLITS
        )
    except KeyError:
        return None
    return TeacherOutputs(train, dev, origin)


def intact(path: Path) -> bool:
    """Return whether a file of teacher outputs is there and undamaged."""
    return _checked(path) is not None


def write(path: Path, outputs: TeacherOutputs) -> None:
    """Write teacher outputs, all or nothing; the same outputs give the same bytes.

    Raises:
        DiskFull, CannotWrite: naming the file.
    """
    from safetensors.numpy import save

    arrays = {
        f"{split}/{field}": tensor.cpu().contiguous().numpy()
        for split in _SPLITS
        for field, tensor in getattr(outputs, split)._asdict().items()
    }
    # A single metadata entry, because safetensors writes several in any order.
    about = json.dumps([_digest(arrays, outputs.origin), outputs.origin])
    with atomic_path(path) as temporary:
        temporary.write_bytes(save(arrays, {"about": about}))


def _checked(path: Path) -> tuple[dict[str, NDArray[Any]], str] | None:
    """Return the arrays of a file and where they are from; None if it is missing or damaged."""
    from safetensors import SafetensorError, safe_open

    if not path.is_file():  # a pipe would be waited for
        return None
    try:
        with safe_open(path, "np") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, it is not a dict
            digest, origin = json.loads((file.metadata() or {})["about"])
        return (arrays, origin) if digest == _digest(arrays, origin) and _possible(arrays) else None
    except (OSError, SafetensorError, KeyError, ValueError, TypeError, AttributeError, RecursionError):
        return None


def _possible(arrays: Mapping[str, NDArray[Any]]) -> bool:
    """Whether outputs are what a teacher can give: finite numbers, log-probabilities of classes."""
    return all(
        array.dtype.kind == "f"
        and array.ndim == 2
        and np.isfinite(array).all()
        and (not name.endswith("log_prob") or are_log_probabilities(array))
        for name, array in arrays.items()
    )


def _digest(arrays: Mapping[str, NDArray[Any]], origin: str) -> str:
    digest = hashlib.sha256(origin.encode())
    for name in sorted(arrays):
        digest.update(name.encode() + arrays[name].tobytes())
    return digest.hexdigest()
