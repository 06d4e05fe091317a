"""Train on RAVDESS, test on IEMOCAP, with `--normalise` and without: `python -m docs.cross_corpus FOLDER`.

FOLDER holds ``ravdess/recordings`` and ``iemocap/iemocap4.npz``. Both corpora get the same 47 columns: mean and
deviation of the 23 low-level descriptors of eGeMAPSv01a over an utterance, and the share of silent frames. IEMOCAP's
were published (github.com/bagustris/deep-mlp-ser); RAVDESS's are computed here by their definition. Nothing is chosen
on IEMOCAP.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import opensmile
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

import replicate
from export.normalise import BY, normalised
from export.predictor import DialogueFeatures, Prediction, Predictor
from replicate import grids
from replicate.corpus.types import Corpus, Dialogue, Split
from replicate.features import audio
from replicate.files import write_text
from replicate.store.predictions import score

TABLE = Path(__file__).parent / "results" / "cross-corpus.md"
LABELS, SPEAKERS = ("neutral", "happy", "sad", "angry"), ("M", "F")
COLUMNS = 47
METRICS = {"weighted_f1": "weighted F1", "ua": "UA"}
SEEDS = (24, 25, 26, 27, 28)
# The share of silent frames: of about 93 ms, every 23 ms, below 0.3 of the mean of all.
FRAME, HOP, QUIET = 1486, 371, 0.3
# Of a clip's largest sample: where speech begins and ends.
LOUD = 0.05


@dataclass(frozen=True)
class Line:
    """A line of the table: a metric by how features are normalised, for each seed."""

    model: str
    tested: str
    metric: str
    scores: dict[str | None, list[float]]


def speech(signal: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cut the silence at both ends of a clip, a third of those of RAVDESS; utterances of IEMOCAP have none."""
    loud = np.flatnonzero(np.abs(signal) > np.abs(signal).max() * LOUD)
    return signal[max(0, loud[0] - HOP) : loud[-1] + HOP]


def functionals(signal: NDArray[np.float32], smile: Any) -> NDArray[np.float32]:
    """Compute the 47 columns of an utterance at 16 kHz."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        descriptors = smile.process_signal(signal, audio.RATE).to_numpy(np.float64)
    padded = np.pad(signal.astype(np.float64) + 1e-4, FRAME // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, FRAME)[::HOP]
    level = np.sqrt((frames**2).mean(1))
    silent = (level <= QUIET * level.mean()).mean()
    return np.r_[descriptors.mean(0), descriptors.std(0, ddof=1), silent].astype(np.float32)


def ravdess(folder: Path) -> Corpus:
    """Return the clips of RAVDESS with the 47 columns; a dialogue has all clips of an actor."""
    smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv01a, opensmile.FeatureLevel.LowLevelDescriptors)
    groups: dict[str, list[dict[str, str]]] = {}
    draws = np.random.default_rng(0)
    with (folder / "utterances.csv").open(encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file):
            groups.setdefault(line["dialogue"], []).append(line)
    dialogues = []
    for name, lines in groups.items():
        # Their files are named, and so ordered, by emotion: a model with context would learn the order.
        draws.shuffle(lines)  # type: ignore[arg-type]
        features = [functionals(speech(audio.load(folder / f"{line['utterance']}.flac")), smile) for line in lines]
        split: Any = lines[0]["split"]
        dialogues.append(
            Dialogue(
                name,
                np.array([SPEAKERS.index(line["speaker"]) for line in lines]),
                np.array([LABELS.index(line["label"]) for line in lines]),
                {"audio": np.stack(features)},
                split,
            )
        )
    return Corpus("ravdess4-gemaps47", LABELS, tuple(dialogues), SPEAKERS)


def iemocap(path: Path) -> Corpus:
    """Return IEMOCAP with the same columns, labels and speakers in the same order."""
    found = replicate.load_corpus(path)
    to = np.array([LABELS.index(label) for label in found.labels])
    voices = np.array([SPEAKERS.index(name) for name in found.speakers])

    def same(one: Dialogue) -> Dialogue:
        features = {"audio": one.features["audio"][:, :COLUMNS]}
        return replace(one, labels=to[one.labels], speakers=voices[one.speakers], features=features)

    return Corpus("iemocap4-gemaps47", LABELS, tuple(map(same, found.dialogues)), SPEAKERS)


def given(dialogues: Sequence[Dialogue]) -> list[DialogueFeatures]:
    """Return dialogues as the input of a predictor."""
    return [DialogueFeatures(d.id, [SPEAKERS[i] for i in d.speakers], d.features["audio"]) for d in dialogues]


def scored(dialogues: Sequence[Dialogue], probabilities: Sequence[NDArray[Any]], metric: str) -> float:
    """Return a metric of predictions."""
    labels = np.concatenate([dialogue.labels for dialogue in dialogues])
    return score(metric, labels, np.log(np.maximum(np.concatenate(probabilities), 1e-30)), LABELS)


def logistic(train: Corpus, sets: dict[str, Sequence[Dialogue]]) -> list[Line]:
    """Score a logistic regression without context, standardised on train, C = 0.1."""
    rows = np.concatenate([one.features["audio"] for one in train.split("train")]).astype(np.float64)
    labels = np.concatenate([one.labels for one in train.split("train")])
    scale = {"mean": rows.mean(0), "deviation": rows.std(0)}
    model = LogisticRegression(C=0.1, max_iter=5000).fit((rows - scale["mean"]) / scale["deviation"], labels)

    def predicted(dialogue: DialogueFeatures, by: str | None) -> NDArray[np.float64]:
        features = dialogue.features if by is None else normalised(dialogue, scale, by).features
        return model.predict_proba((features - scale["mean"]) / scale["deviation"])

    return [
        Line(
            "logistic regression",
            name,
            metric,
            {by: [scored(dialogues, [predicted(one, by) for one in given(dialogues)], metric)] for by in (None, *BY)},
        )
        for name, dialogues in sets.items()
        for metric in METRICS
    ]


def exported(train: Corpus, sets: dict[str, Sequence[Dialogue]], results: Path) -> tuple[list[Line], dict[str, float]]:
    """Score exported models of several seeds; also returns the share of dialogues that are far from the training."""
    lines = {
        (name, metric): Line(f"COGMEN-A, {len(SEEDS)} seeds", name, metric, {by: [] for by in (None, *BY)})
        for name in sets
        for metric in METRICS
    }
    far: dict[str, float] = {}
    for seed in SEEDS:
        run = replicate.train("COGMEN-A", train, seed=seed, results=results, privileged="none", progress=False)
        predictor = Predictor(replicate.export(run, results / f"bundle {seed}"))
        for name, dialogues in sets.items():
            for by in (None, *BY):
                found: list[Prediction] = predictor.predict(given(dialogues), by)
                for metric in METRICS:
                    value = scored(dialogues, [one.probabilities for one in found], metric)
                    lines[name, metric].scores[by].append(value)
                far[name] = float(np.mean([one.distance is not None and one.distance.far for one in found]))
    return list(lines.values()), far


def table(lines: Sequence[Line], far: dict[str, float], sizes: dict[str, tuple[int, int]]) -> str:
    """Return the table in Markdown, and a sentence on distance."""
    cells = []
    for line in lines:
        shown = [
            f"{np.mean(values):.3f}" + (f" ± {np.std(values, ddof=1):.3f}" if len(values) > 1 else "")
            for values in line.scores.values()
        ]
        cells.append([line.model, line.tested, METRICS[line.metric], *shown])
    titles = ["model", "tested on", "metric", "as they are", *(f"by {by}" for by in BY)]
    noted = [
        f"{name} ({dialogues} dialogues, {utterances:,} utterances): {far[name]:.0%}"
        for name, (dialogues, utterances) in sizes.items()
    ]
    return "\n".join(
        [
            *grids.markdown(titles, cells, left=3),
            "",
            "Trained on 14 actors of RAVDESS. UA is recall averaged over classes, 0.25 by chance; ± is the deviation",
            "over seeds.",
            f"Dialogues that the predictor calls unlike those of the training: {'; '.join(noted)}.",
            "",
        ]
    )


def main() -> None:
    """Train, test and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="with ravdess/recordings and iemocap/iemocap4.npz")
    parser.add_argument("--out", type=Path, default=TABLE, help="file to write")
    options = parser.parse_args()
    folder: Path = options.folder
    train, other = ravdess(folder / "ravdess" / "recordings"), iemocap(folder / "iemocap" / "iemocap4.npz")
    test: Split = "test"
    sets: dict[str, Sequence[Dialogue]] = {"RAVDESS, 6 other actors": train.split(test), "IEMOCAP": other.dialogues}
    with tempfile.TemporaryDirectory() as results:
        lines, far = exported(train, sets, Path(results))
    sizes = {name: (len(dialogues), sum(map(len, dialogues))) for name, dialogues in sets.items()}
    write_text(options.out, table([*logistic(train, sets), *lines], far, sizes))


if __name__ == "__main__":
    main()
