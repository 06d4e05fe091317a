"""Compute the key of a run: a hash of everything that decides its numbers, and the name of the run's folder."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import Any

from replicate.corpus.types import Corpus
from replicate.model.config import ModelConfig
from replicate.model.extractors.base import extractor_traits
from replicate.model.heads import HEADS
from replicate.registry import implemented_by
from replicate.store.sources import module_hashes
from replicate.store.versions import FORMAT, SOURCE, distribution_version, in_key_order, shared
from replicate.training.config import Arm, Protocol, RunSpec, relevant_settings


def versions(spec: RunSpec) -> dict[str, str]:
    """Return versions of the code and libraries that a run depends on."""
    methods = [arm.method.traits for arm in spec.arm.with_teachers if arm.method]
    found = shared() | {library: distribution_version(library) for method in methods for library in method.libraries}
    modules = [name for arm in spec.arm.with_teachers for name in _modules(arm)]
    hashes = module_hashes(optional_classes(spec), modules)
    return found | {f"{SOURCE}{name}": digest for name, digest in sorted(hashes.items())}


def optional_classes(spec: RunSpec) -> list[type]:
    """Return the classes that a run's arm and its teachers use and other arms may not, those of plugins among them.

    Built-in classes that import torch are not among them, but their declarations are.
    """
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
        "versions": in_key_order(versions(spec)),
        "format": FORMAT,
    }
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:20]


def _classes(arm: Arm, protocol: Protocol) -> list[type]:
    """Return the optional classes of an arm: extractor, method with its settings, and masking strategy."""
    found: list[type] = [extractor_traits(arm.context)]
    if arm.method is not None:
        found += [type(arm.method), arm.method.traits]
    if arm.masked:
        found.append(type(protocol.masking))
    return found


def _modules(arm: Arm) -> list[str]:
    """Return the built-in optional modules of an arm that import torch: extractor, method, heads and late fusion."""
    declared = [extractor_traits(arm.context), *([] if arm.method is None else [arm.method.traits])]
    found = [where.partition(":")[0] for where in map(implemented_by, declared) if where]
    found += [HEADS[name] for name in arm.model_heads]
    return [*found, "replicate.model.context.late"] if arm.fusion == "late" else found


def _decisive(arm: Arm) -> dict[str, Any]:
    """Return the settings of an arm and its teachers that decide its numbers."""
    content = asdict(arm)
    del content["name"], content["teacher"], content["unimodal_teachers"]
    content["teachers"] = [_decisive(teacher) for teacher in arm.teachers]
    content["distillation"] = None if arm.method is None else asdict(arm.method)
    if not (arm.causal and extractor_traits(arm.context).uses_memory):
        del content["memory"]
    for key, default in (("hidden", ModelConfig.hidden), ("project", False)):
        if content[key] == default:  # so that a key is the one of versions in which no arm could set it
            del content[key]
    return content
