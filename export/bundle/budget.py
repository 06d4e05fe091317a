"""Choose the run to export by its F1 on dev among the models that predict a dialogue within a time on this machine."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean

from export.benchmark.latency import Latency, example, latencies
from export.bundle.select import Choice, dev_f1
from export.onnx import quantise, save
from export.predictor import INT8, MODEL
from replicate.corpus.types import Corpus
from replicate.errors import NothingToExport
from replicate.machine import processor
from replicate.model.config import ModelConfig
from replicate.results.resources import median_length
from replicate.store.run import Run

# Timed calls of every file.
CALLS = 100


@dataclass(frozen=True)
class Fit:
    """The chosen model, and what it was chosen from.

    Attributes:
        file: the file of the bundle that is within the budget: ``MODEL``, or ``INT8`` if only that is.
        utterances: length of the dialogue that was timed, the median of the corpus.
        milliseconds: median time of the file for this dialogue.
        within: names of all arms that are within the budget, the best on dev first.
    """

    choice: Choice
    file: str
    utterances: int
    milliseconds: float
    within: tuple[str, ...]


def choose_within(
    choice: Choice, corpus: Corpus, budget: float, on_step: Callable[[str], None] = lambda _: None
) -> Fit:
    """Choose the arm with the best mean F1 on dev among those within a budget, and its best seed.

    An arm is within it if its file in 32 bits is, or the one in 8 bits, where that loses no more F1 on dev than a
    bundle allows (``quantise.MAX_LOSS``). Only arms with the audio stream of ``choice`` are considered, since another
    stream's features take far longer to extract than the model takes. Test is never used.

    Args:
        choice: what there is to choose from.
        budget: milliseconds for one dialogue of the corpus's median length on one thread of the CPU.
        on_step: called with what is done next.

    Raises:
        NothingToExport: no model is within the budget; names the fastest.
    """
    utterances = median_length(corpus)
    stream = choice.run.audio_stream
    choice = replace(choice, runs={arm: runs for arm, runs in choice.runs.items() if runs[0].audio_stream == stream})
    with tempfile.TemporaryDirectory() as temporary:
        first: dict[ModelConfig, Run] = {}
        for runs in choice.runs.values():
            first.setdefault(runs[0].record.model, runs[0])
        files = {}
        for number, (config, run) in enumerate(first.items()):
            on_step(f"exporting model {number + 1} of {len(first)} to time it")
            inputs = example(run, utterances)
            for name, path in _write(run, corpus, Path(temporary) / str(number)).items():
                files[config, name] = path, inputs
        on_step(f"timing {len(files)} files")
        times = latencies(files, CALLS)
        ranked = sorted(choice.runs, key=lambda arm: -mean(map(dev_f1, choice.runs[arm])))
        fits = [arm for arm in ranked if _fast(choice.runs[arm][0], times, budget)]
        for arm in fits:
            best = max(choice.runs[arm], key=dev_f1)
            file = MODEL if times[best.record.model, MODEL].p50 <= budget else INT8
            if file == MODEL or _kept(best, corpus, Path(temporary) / "best"):
                time = times[best.record.model, file].p50
                why = (
                    f"the best seed of the best arm on dev of those that predict a dialogue of {utterances} utterances "
                    f"within {budget:g} ms on one thread ({processor() or 'an unknown processor'}); {file} takes "
                    f"{time:.2f} ms"
                )
                return Fit(replace(choice, run=best, why=why), file, utterances, time, tuple(fits))
    raise NothingToExport(_too_slow(choice, times, utterances, budget))


def _fast(run: Run, times: dict[tuple[ModelConfig, str], Latency], budget: float) -> bool:
    return any(times[run.record.model, name].p50 <= budget for name in (MODEL, INT8))


def _write(run: Run, corpus: Corpus, folder: Path) -> dict[str, Path]:
    folder.mkdir(exist_ok=True)
    save.write(run, corpus.speakers, folder / MODEL)
    quantise.quantise(folder / MODEL, folder / INT8)
    return {name: folder / name for name in (MODEL, INT8)}


def _kept(run: Run, corpus: Corpus, folder: Path) -> bool:
    files = _write(run, corpus, folder)
    return quantise.compare(files[MODEL], files[INT8], corpus, run.audio_stream).kept


def _too_slow(choice: Choice, times: dict[tuple[ModelConfig, str], Latency], utterances: int, budget: float) -> str:
    def fastest(arm: str) -> float:
        return min(times[choice.runs[arm][0].record.model, name].p50 for name in (MODEL, INT8))

    arm = min(choice.runs, key=fastest)
    return (
        f"no model predicts a dialogue of {utterances} utterances within {budget:g} ms on this machine, or only with "
        f"8-bit weights that lose more than {quantise.MAX_LOSS:g} of F1 on dev; the fastest, {arm}, takes "
        f"{fastest(arm):.2f} ms: raise --budget-ms, or train smaller models (`replicate run deploy`)"
    )
