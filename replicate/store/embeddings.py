"""Teacher outputs on disk: one file per teacher, computed for its first student and read by all others."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from replicate.files import atomic_path
from replicate.training.distillation.base import TeacherOutputs, UtteranceOutputs


def read(path: Path) -> TeacherOutputs | None:
    """Return the teacher outputs in a file; None if it is missing or damaged, since they can be computed again."""
    try:
        with safe_open(path, "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, it is not a dict
            digest, origin = json.loads((file.metadata() or {})["about"])
            if digest != _digest(tensors, origin):
                return None
        train, dev = (
            UtteranceOutputs(*(tensors[f"{split}/{field}"] for field in UtteranceOutputs._fields))
            for split in ("train", "dev")
        )
        return TeacherOutputs(train, dev, origin)
    except (OSError, SafetensorError, KeyError, ValueError, TypeError):
        return None


def write(path: Path, outputs: TeacherOutputs) -> None:
    """Write teacher outputs, all or nothing; the same outputs give the same bytes.

    Raises:
        DiskFull, CannotWrite: naming the file.
    """
    tensors = {
        f"{split}/{field}": getattr(getattr(outputs, split), field).cpu().contiguous()
        for split in ("train", "dev")
        for field in UtteranceOutputs._fields
    }
    # A single metadata entry, because safetensors writes several in any order.
    about = json.dumps([_digest(tensors, outputs.origin), outputs.origin])
    with atomic_path(path) as temporary:
        temporary.write_bytes(save(tensors, {"about": about}))


def _digest(tensors: dict[str, torch.Tensor], origin: str) -> str:
    digest = hashlib.sha256(origin.encode())
    for name in sorted(tensors):
        digest.update(name.encode() + tensors[name].numpy().tobytes())
    return digest.hexdigest()
