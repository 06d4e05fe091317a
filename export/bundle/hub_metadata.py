"""Metadata of a model card as the Hugging Face hub reads it: the YAML at the beginning of a bundle's README.

Nothing is sent or fetched: the library only writes the text.
"""

from __future__ import annotations

import re

from huggingface_hub import EvalResult, ModelCardData

from export.onnx import save
from replicate.corpus.readers.base import WEIGHTS, NamedCorpus
from replicate.corpus.types import Corpus
from replicate.escape import line
from replicate.results.statistics import Summary
from replicate.store.run import Run

TASK = "audio-classification"
_NAME, _LONGEST = re.compile(r"[^\w .,()+-]"), 100


def front_matter(run: Run, corpus: Corpus, f1: float, arm: Summary, named: NamedCorpus | None) -> str:
    """Return the metadata between two lines of ``---``.

    Names of corpora and arms keep letters, digits and plain punctuation alone, so that they are neither YAML nor HTML
    wherever the README is shown. Languages and data sets are those of the corpora that this package knows; of others
    they are unknown, and left out.

    Args:
        f1: weighted F1 of the exported file on the test split.
        arm: weighted F1 of the seeds of its arm.
        named: the corpus of that name, or what the corpus was made of.
    """
    dataset = named.dataset if named else ""
    causal = ["streaming"] if save.streams(run) else []
    generated = ["generated-features"] if corpus.name.startswith("synthetic") else []
    data = ModelCardData(
        license=named.weights if named else WEIGHTS,
        language=(named.language if named else "") or None,
        library_name="onnx",
        pipeline_tag=TASK,
        tags=["speech-emotion-recognition", "onnx", "onnxruntime", *causal, *generated, "arxiv:2401.03000"],
        datasets=[slug(dataset)] if dataset else None,
        metrics=["f1"],
        model_name=f"{plain(run.record.arm.name)}, seed {run.record.seed}",
        eval_results=_results(corpus, dataset, f1, arm),
    )
    return f"---\n{data.to_yaml()}\n---\n"


def _results(corpus: Corpus, dataset: str, f1: float, arm: Summary) -> list[EvalResult]:
    seeds = "one seed" if arm.std is None else f"{arm.n} seeds, deviation {arm.std:.3f}"
    return [
        EvalResult(
            task_type=TASK,
            task_name="emotion of each utterance of a dialogue, from audio alone",
            dataset_type=slug(dataset or corpus.name),
            dataset_name=plain(corpus.name),
            dataset_split="test",
            metric_type="f1",
            metric_name=name,
            metric_value=round(value, 3),
            metric_args={"average": "weighted"},
        )
        for name, value in (
            ("weighted F1 of this file", f1),
            (f"weighted F1 of its arm, mean over {seeds}", arm.mean),
        )
    ]


def plain(text: str) -> str:
    """Return a name with letters, digits and plain punctuation alone, at most 100 characters."""
    return _NAME.sub("_", line(text).strip())[:_LONGEST].strip() or "unnamed"


def slug(text: str) -> str:
    """Return a name as the hub writes those of data sets: small ASCII letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower())[:_LONGEST].strip("-") or "unnamed"
