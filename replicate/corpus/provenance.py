"""Recipes: how a feature stream was extracted from recordings, as corpus files and exported models record it."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

Recipe = Mapping[str, Any]
# Extractors that start from transcripts, not from recordings.
TEXT = ("tfidf", "sentence-encoder")
# Speech encoders: type in the transformers library -> name.
ENCODERS = {
    "data2vec-audio": "data2vec",
    "hubert": "HuBERT",
    "unispeech": "UniSpeech",
    "unispeech-sat": "UniSpeech-SAT",
    "wav2vec2": "wav2vec 2.0",
    "wav2vec2-bert": "w2v-BERT",
    "wav2vec2-conformer": "wav2vec 2.0 Conformer",
    "wavlm": "WavLM",
    "whisper": "Whisper's encoder",
}
# Extractors of recipes that a speech encoder made; HuBERT has its own for the sake of older files.
ENCODER_EXTRACTORS = ("hubert", "encoder")


def same(one: Recipe, other: Recipe) -> bool:
    """Return whether two recipes give the same features, up to rounding between versions of the extractors."""
    return _decisive(one) == _decisive(other)


def describe(recipe: Recipe) -> str:
    """Return a recipe in a few words: extractor, model or feature set, layer or number of columns."""
    if recipe.get("extractor") == "opensmile":
        return f"openSMILE {recipe.get('set')} ({len(recipe.get('columns', ()))} columns)"
    if recipe.get("extractor") == "acoustic":
        return f"acoustic functionals, version {recipe.get('version')} ({len(recipe.get('columns', ()))} columns)"
    if recipe.get("extractor") == "tfidf":
        return f"TF-IDF and SVD to {recipe.get('components')} columns, fitted on {recipe.get('fitted_on')}"
    if recipe.get("extractor") == "sentence-encoder":
        return f"sentence encoder {recipe.get('model')}, mean of the last layer"
    kind = str(recipe.get("type", "hubert"))
    return f"{ENCODERS.get(kind, kind)} {recipe.get('model')}, layer {recipe.get('layer')}"


def changed_versions(recipe: Recipe) -> list[str]:
    """Return ``name 1.0, here 2.0`` for every package whose installed version differs from the recipe's."""
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
    # A model is identified by the hash of its parameters; its path may differ between machines.
    left_out = {"versions"} | ({"model"} if "parameters" in recipe else set())
    return {key: value for key, value in recipe.items() if key not in left_out}
