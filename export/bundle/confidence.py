"""The model card's section on probabilities: their calibration, and what a wrong mapping of speakers costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from export.distance import TrainingRange
from export.onnx.fitted import BOUNDS, LEAST, of_file, uncalibrated
from export.onnx.session import as_function, on_corpus, session
from export.scores import weighted_f1
from replicate import grids
from replicate.corpus.types import Corpus, Split
from replicate.metrics import BINS
from replicate.store.predictions import score
from replicate.store.run import Run


def section(run: Run, corpus: Corpus, model: Path) -> str:
    """Write the section; what is stated is measured with the exported file ``model``."""
    temperature = of_file(model).temperature
    labels = {split: np.concatenate([one.labels for one in corpus.split(split)]) for split in ("dev", "test")}
    if temperature == 1.0 and len(labels["dev"]) < LEAST:
        note = f"The probabilities are not calibrated: dev has fewer than {LEAST} utterances."
    else:
        note = (
            f"The logits are divided by a temperature of {temperature:g}, fitted on dev (within {BOUNDS[0]:g} to "
            f"{BOUNDS[1]:g}; Guo et al., 2017); no label changes by it."
        )
    lines = [
        (split, *(f"{_calibration_error(each, labels[split], corpus.labels):.3f}" for each in pair))
        for split, pair in ((split, (uncalibrated(run, corpus, split), _calibrated(run, corpus, model, split)))
                            for split in ("dev", "test"))
    ]  # fmt: skip
    return "\n".join(
        [
            f"{note} Expected calibration error ({BINS} bins, 0 is best):",
            "",
            *grids.markdown(("", "before", "after"), lines),
            "",
            mapping(run, corpus, model),
            "",
            outside(run, corpus, model),
        ]
    )


def mapping(run: Run, corpus: Corpus, model: Path) -> str:
    """State how weighted F1 on dev changes where each speaker's name is that of the next one."""
    count = len(corpus.speakers)
    if count < 2:
        return "The model knows one speaker, so that speakers cannot be mixed up."
    true = [label for dialogue in corpus.split("dev") for label in dialogue.labels]
    right, wrong = (
        weighted_f1(true, on_corpus(as_function(session(model)), each, run.audio_stream, "dev"), corpus.labels)
        for each in (corpus, rotated(corpus))
    )
    how = "the two speakers swapped" if count == 2 else "every speaker replaced by the next"
    return (
        f"A wrong mapping of speakers to those of the training ({how}) changes weighted F1 on dev by "
        f"{wrong - right:+.3f}: {wrong:.3f} instead of {right:.3f}."
    )


def outside(run: Run, corpus: Corpus, model: Path) -> str:
    """State how many dialogues of test a predictor would call unlike those of the training."""
    content = of_file(model).range
    if content is None:
        return "The training is too small to tell whether a recording is unlike it."
    measured, dialogues = TrainingRange(content), corpus.split("test")
    far = sum(measured.distance(dialogue.features[run.audio_stream]).far for dialogue in dialogues)
    return (
        "Predictions come with a note where the features of a dialogue lie far from those of the training, as with "
        f"another microphone, room or language; {far} of the {len(dialogues)} dialogues of test do."
    )


def rotated(corpus: Corpus) -> Corpus:
    """Return a corpus in which every speaker's number is the next one's."""
    count = len(corpus.speakers)
    return replace(
        corpus, dialogues=tuple(replace(one, speakers=(one.speakers + 1) % count) for one in corpus.dialogues)
    )


def _calibrated(run: Run, corpus: Corpus, model: Path, split: Split) -> NDArray[np.float32]:
    found = on_corpus(as_function(session(model)), corpus, run.audio_stream, split)
    return np.log(np.maximum(found, np.finfo(np.float32).tiny))


def _calibration_error(log_prob: NDArray[np.float32], labels: NDArray[np.int64], classes: Sequence[str]) -> float:
    return score("ece", labels, log_prob, classes)
