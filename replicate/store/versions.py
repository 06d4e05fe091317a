"""Versions of the code and of the libraries that runs depend on, without importing these libraries, which are slow."""

from __future__ import annotations

import ast
import functools
import importlib.metadata
import re
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from replicate.store.sources import core_hash, current_hash

# Format of run.json. Increase it whenever the previous version could not read the records of this one. It is part of
# every key, so a run of another format is trained again under another key. Records without a number are older than 2.
FORMAT = 2
# Prefix of a module's name among the versions of a run; the version of a module is a hash of its code.
SOURCE = "source of "
# Libraries that every run depends on. torch_geometric is one because its layers draw their own initial weights.
LIBRARIES = ("torch", "torch_geometric")


def code_version() -> str:
    """Return a hash of the code that all runs use, without comments and docstrings."""
    return core_hash()


def shared() -> dict[str, str]:
    """Return the versions that all runs depend on."""
    return {name: module_version(name) for name in LIBRARIES} | {"code": code_version()}


def module_version(name: str) -> str:
    """Return ``__version__`` of a library; "not installed" without it. It is not imported to find out.

    The version of the distribution would not do: that of torch can lack what it was built for, such as ``+cu128``.
    """
    if name in sys.modules:
        return str(sys.modules[name].__version__)
    return _version_in_source(name) or distribution_version(name)


@functools.cache
def distribution_version(name: str) -> str:
    """Return the version of an installed distribution, or "not installed"."""
    try:
        return importlib.metadata.version(name)
    except (importlib.metadata.PackageNotFoundError, ValueError):  # ValueError: no name at all, in a forged record
        return "not installed"


@functools.cache
def _version_in_source(name: str) -> str | None:
    """Return the text that a library's source assigns to ``__version__``, in version.py or else in __init__.py."""
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        return None
    for path in (Path(spec.origin).with_name("version.py"), Path(spec.origin)):
        tree = ast.parse(path.read_text(encoding="utf-8")) if path.is_file() else ast.Module([], [])
        for node in tree.body:
            if (
                isinstance(node, ast.Assign)
                and [ast.unparse(target) for target in node.targets] == ["__version__"]
                and isinstance(node.value, ast.Constant)
            ):
                return str(node.value.value)
    return None


def in_key_order(found: Mapping[str, str]) -> list[str]:
    """Return versions in the order in which they are part of a run's key, which must never change.

    It is the order of texts, except that a release of torch is compared by its numbers: ``torch.__version__``, of which
    keys were made first, is a text that compares itself so. 2.13.0 then comes after 2.8.1.
    """
    torch = found.get("torch")

    def compare(one: str, other: str) -> int:
        first, second = _numbers(one), _numbers(other)
        if torch in (one, other) and first is not None and second is not None:
            return (first > second) - (first < second)
        return (one > other) - (one < other)

    return sorted(found.values(), key=functools.cmp_to_key(compare))


def _numbers(version: str) -> tuple[tuple[int, ...], str] | None:
    """Return the numbers of a release such as 2.13.0+cpu, without zeros at the end, and what follows +."""
    release, _, local = version.partition("+")
    if not re.fullmatch(r"\d+(\.\d+)*", release):
        return None
    return tuple(map(int, re.sub(r"(\.0+)+$", "", release).split("."))), local


def other_versions(found: Mapping[str, str]) -> dict[str, str]:
    """Return the recorded versions that differ from the installed ones. A plugin that is not loaded counts as equal."""
    installed = shared()
    differ = {}
    for name, version in found.items():
        if name == "replicate":  # the release number; changes of the code itself are under "code"
            continue
        today: str | None
        if name.startswith(SOURCE):
            today = current_hash(name.removeprefix(SOURCE))
        else:
            today = installed.get(name) or distribution_version(name)
        if today is not None and today != version:
            differ[name] = version
    return differ | {name: "unknown" for name in installed if name not in found}


def in_words(name: str) -> str:
    """Return what a name among the versions of a run stands for, for messages."""
    if name == "code":
        return "the code of this package"
    module = name.removeprefix(SOURCE)
    plugin = module.removeprefix("replicate_plugin_")
    return f"the source of plugin {plugin}" if plugin != module else name
