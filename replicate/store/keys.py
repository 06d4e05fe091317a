"""A run's name: a hash of everything that decides its numbers."""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.metadata
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
import torch_geometric

import replicate
from replicate.corpus.types import Corpus
from replicate.model.context.base import context_extractor
from replicate.training.config import Arm, RunSpec, relevant_settings


@functools.cache
def code_version() -> str:
    """Hash of the code that a run's numbers pass through, without comments and docstrings."""
    package = Path(replicate.__file__).parent
    paths = [package / "rng.py", *sorted((package / "model").rglob("*.py"))]
    paths += sorted(path for path in (package / "training").rglob("*.py") if path.stem != "parity")
    digest = hashlib.sha256()
    for path in paths:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            body = getattr(node, "body", None)
            if isinstance(body, list) and body and _is_docstring(body[0]):
                body.pop(0)
        digest.update(f"{path.relative_to(package).as_posix()}\n{ast.dump(tree)}\n".encode())
    return digest.hexdigest()[:16]


def versions() -> dict[str, str]:
    """What a run's numbers depend on beside its settings; torch_geometric's layers draw their own initial weights."""
    return {"torch": torch.__version__, "torch_geometric": torch_geometric.__version__, "code": code_version()}


def run_key(spec: RunSpec, corpus: Corpus, device: str) -> str:
    """Name of the run's folder: the same for the same numbers, under whatever names arms and protocols go."""
    with_teachers = spec.arm.with_teachers
    decides = asdict(spec) | {"arm": _decisive(spec.arm), "protocol": relevant_settings(spec.arm, spec.protocol)}
    decides |= {"corpus": corpus.hash, "device": device, **versions()}
    used = {library for arm in with_teachers if arm.method for library in arm.method.implementation.libraries}
    decides |= {library: importlib.metadata.version(library) for library in used}
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:20]


def _decisive(arm: Arm) -> dict[str, Any]:
    content = asdict(arm)
    del content["name"], content["teacher"], content["unimodal_teachers"]
    content["teachers"] = [_decisive(teacher) for teacher in arm.teachers]
    content["distillation"] = None if arm.method is None else asdict(arm.method)
    if not (arm.causal and context_extractor(arm.context).uses_memory):
        del content["memory"]
    return content


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
