"""Compute the key of a run: a hash of everything that decides its numbers, and the name of the run's folder."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import torch
import torch_geometric

from replicate.corpus.types import Corpus
from replicate.model.context.base import context_extractor
from replicate.model.context.late import LateFusion
from replicate.model.heads import HEADS
from replicate.store.sources import core_hash, current_hash, module_hashes
from replicate.training.config import Arm, Protocol, RunSpec, relevant_settings

# Format of run.json. Increase it whenever the previous version could not read the records of this one. It is part of
# every key, so a run of another format is trained again under another key. Records without a number are older than 2.
FORMAT = 2
# Prefix of a module's name among the versions of a run; the version of a module is a hash of its code.
SOURCE = "source of "


def code_version() -> str:
    """Return a hash of the code that all runs use, without comments and docstrings."""
    return core_hash()


def versions(spec: RunSpec | None = None) -> dict[str, str]:
    """Return versions of the code and libraries that a run depends on; without a run, those that all runs depend on.

    torch_geometric counts because its layers draw their own initial weights.
    """
    found = {"torch": torch.__version__, "torch_geometric": torch_geometric.__version__, "code": code_version()}
    if spec is not None:
        methods = [arm.method.implementation for arm in spec.arm.with_teachers if arm.method]
        found |= {library: _library(library) for method in methods for library in method.libraries}
        found |= {f"{SOURCE}{name}": digest for name, digest in sorted(module_hashes(optional_classes(spec)).items())}
    return found


def other_versions(found: Mapping[str, str]) -> dict[str, str]:
    """Return the recorded versions that differ from the installed ones. A plugin that is not loaded counts as equal."""
    shared = versions()
    differ = {}
    for name, version in found.items():
        if name == "replicate":  # the release number; changes of the code itself are under "code"
            continue
        today: str | None
        if name.startswith(SOURCE):
            today = current_hash(name.removeprefix(SOURCE))
        else:
            today = shared.get(name) or _library(name)
        if today is not None and today != version:
            differ[name] = version
    return differ | {name: "unknown" for name in shared if name not in found}


def in_words(name: str) -> str:
    """Return what a name among the versions of a run stands for, for messages."""
    if name == "code":
        return "the code of this package"
    module = name.removeprefix(SOURCE)
    plugin = module.removeprefix("replicate_plugin_")
    return f"the source of plugin {plugin}" if plugin != module else name


def optional_classes(spec: RunSpec) -> list[type]:
    """Return the classes that a run's arm and its teachers use and other arms may not, those of plugins among them."""
    return [cls for arm in spec.arm.with_teachers for cls in _classes(arm, spec.protocol)]


def run_key(spec: RunSpec, corpus: Corpus, device: str) -> str:
    """Return the key of a run. The names of its arm, protocol and corpus and the path of a plugin do not change it."""
    decides = asdict(spec) | {"arm": _decisive(spec.arm), "protocol": relevant_settings(spec.arm, spec.protocol)}
    budget = asdict(spec.budget) | {"epochs": spec.epochs_of_budget(corpus)}
    del budget["steps"]  # it only decides the number of epochs
    decides |= {
        "budget": budget,
        "corpus": corpus.hash,
        "device": device,
        "versions": sorted(versions(spec).values()),
        "format": FORMAT,
    }
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:20]


def _classes(arm: Arm, protocol: Protocol) -> list[type]:
    """Return the optional classes of an arm: extractor, method, additional heads, masking strategy, late fusion."""
    found: list[type] = [context_extractor(arm.context), *(HEADS[name] for name in arm.model_heads)]
    if arm.method is not None:
        found += [type(arm.method), arm.method.implementation]
    if arm.masked:
        found.append(type(protocol.masking))
    if arm.fusion == "late":
        found.append(LateFusion)
    return found


def _library(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _decisive(arm: Arm) -> dict[str, Any]:
    """Return the settings of an arm and its teachers that decide its numbers."""
    content = asdict(arm)
    del content["name"], content["teacher"], content["unimodal_teachers"]
    content["teachers"] = [_decisive(teacher) for teacher in arm.teachers]
    content["distillation"] = None if arm.method is None else asdict(arm.method)
    if not (arm.causal and context_extractor(arm.context).uses_memory):
        del content["memory"]
    return content
