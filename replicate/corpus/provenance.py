"""How a stream was extracted from recordings, as corpora and exported models remember it."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

Recipe = Mapping[str, Any]


def same(one: Recipe, other: Recipe) -> bool:
    """Whether two recipes give the same features, but for what versions of the extractors round otherwise."""
    return _decisive(one) == _decisive(other)


def said(recipe: Recipe) -> str:
    """A recipe in a few words."""
    if recipe.get("extractor") == "opensmile":
        return f"openSMILE {recipe.get('set')} ({len(recipe.get('columns', ()))} columns)"
    return f"HuBERT {recipe.get('model')}, layer {recipe.get('layer')}"


def other_versions(recipe: Recipe) -> list[str]:
    """``name 1.0, here 2.0`` of every package that has another version here than where the features were made."""
    found = []
    for name, then in dict(recipe.get("versions", {})).items():
        try:
            here = version(name)
        except PackageNotFoundError:
            here = "none"
        if here != then:
            found.append(f"{name} {then}, here {here}")
    return found


def _decisive(recipe: Recipe) -> dict[str, Any]:
    # A model is known by its parameters, wherever it lies.
    left_out = {"versions"} | ({"model"} if "parameters" in recipe else set())
    return {key: value for key, value in recipe.items() if key not in left_out}
