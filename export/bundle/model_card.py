"""The model card: what a bundle's model was trained on, how well it does, what it is for and what not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from export.bundle.select import Choice
from export.onnx import save
from export.onnx.quantise import Quantised
from export.onnx.session import as_function, on_corpus, session
from export.onnx.streaming_graph import state_size
from export.predictor import INT8, MAX_UTTERANCES, MODEL, STREAM
from export.validate.dialogue import Check
from replicate.corpus import catalogue
from replicate.corpus.provenance import Recipe, describe
from replicate.corpus.types import Corpus
from replicate.results.statistics import summarise
from replicate.store.record import ArmRecord
from replicate.store.run import Run
from replicate.training.metrics import f1_by_class, weighted_f1


def text(choice: Choice, corpus: Corpus, model: Path, checks: Sequence[Check], quantised: Quantised) -> str:
    """The card as Markdown; its scores are those of the file ``model``."""
    record = choice.run.record
    arm, name = record.arm.name, record.corpus.name
    parts = [
        f"# {arm}, seed {record.seed}: emotion from speech alone",
        f"Predicts the emotion of every utterance of a dialogue ({', '.join(corpus.labels)}) from its audio features. "
        "Made by a replication of *Bridging Modalities* (arXiv 2401.03000).",
        "## Use",
        _use(corpus, choice.run.audio_stream, save.recipe(choice.run)),
        *(["## Streaming", _streaming(choice.run)] if save.streams(choice.run) else []),
        "## Training",
        _training(choice, corpus),
        "## Results",
        _results(choice, corpus, model),
        "## Intended use and limits",
        _limits(corpus, choice.run),
        "## Checks",
        "\n".join(f"- {check.name}: {check.found}" for check in checks),
        f"- {INT8}: {quantised.summary}",
        "## Licence",
        f"Code and weights: Apache-2.0. Data: {_licence(name)}",
    ]
    return "\n\n".join(parts).replace("\n\n- " + INT8, "\n- " + INT8) + "\n"


def _use(corpus: Corpus, stream: str, recipe: Recipe | None) -> str:
    width = corpus.widths[stream]
    return (
        f"```bash\npip install numpy onnxruntime\npython predict.py FILE.csv\n```\n\n"
        "`FILE.csv` has a row per utterance, in order of time: `dialogue`, `speaker` "
        f"({' or '.join(corpus.speakers)}), then {width} features, not standardised: that is part of "
        f"`{MODEL}`. From Python:\n\n"
        "```python\nfrom predict import Predictor\n\n"
        f'prediction = Predictor(".")(features, speakers)  # (n, {width}) and n names\n'
        "print(prediction.emotions, prediction.probabilities)\n```"
    ) + (_listening(recipe) if recipe else "")


def _listening(recipe: Recipe) -> str:
    """How to predict from recordings, where it is known how the features were extracted from some."""
    return (
        "\n\nFrom recordings, with the package that made this and its extra `[audio]`; features are "
        f"{describe(recipe)}:\n\n"
        "```bash\nreplicate predict . --audio CALL.wav --segments CALL.rttm --out timeline\n```"
    )


def _streaming(run: Run) -> str:
    """How a causal model answers while people speak, and what it remembers."""
    config = run.record.model
    size = state_size(config)
    return (
        f"The model is causal, and `{STREAM}` is the same model utterance by utterance: an answer rests on that "
        f"utterance and what was before. Each of its {config.context_layers} context layers attends to the last "
        f"{config.memory} utterances, this one among them, and each of the two layers of its graph hears "
        f"{config.future} before. Between utterances it keeps a state of {size} numbers ({size * 4 / 1e3:.0f} kB), "
        "however long the dialogue.\n\n"
        "```bash\npython predict.py --stream < FILE.csv\n```\n\n"
        "answers every line as it comes; lines are those of `FILE.csv`, or objects "
        '`{"dialogue": "...", "speaker": "...", "features": [...]}`. From Python:\n\n'
        '```python\nstream = Predictor(".").stream()\nprint(stream.feed(features, speaker).emotions)\n```'
    )


def _training(choice: Choice, corpus: Corpus) -> str:
    record = choice.run.record
    best = f"the best arm that hears stream {choice.run.audio_stream}, and of it the best seed, on dev with that alone"
    reason = "as asked for" if choice.asked else best
    streams = " and ".join(record.streams)
    lines = [
        f"- corpus {corpus.name} ({record.corpus.hash[:12]}): "
        + ", ".join(f"{len(corpus.split(s))} dialogues for {s}" for s in ("train", "dev", "test")),
        f"- arm {record.arm.name}, trained on {streams}{_how(record.arm)}",
        f"- protocol {record.protocol.name}; seed {record.seed}; epoch {record.best_epoch} of "
        f"{record.budget.epochs}, chosen on dev",
        f"- run {record.key}, {reason}",
    ]
    return "\n".join(lines + [f"- {note}" for note in corpus.notes])


def _how(arm: ArmRecord) -> str:
    """What the training saw beyond labels and features."""
    teacher = arm.teacher
    said = ", parts of them masked" if arm.masked else ""
    return said + (f", taught by {teacher.name}, which saw {teacher.train}" if teacher else "")


def _results(choice: Choice, corpus: Corpus, model: Path) -> str:
    scores = summarise([_test(run) for run in choice.siblings])
    spread = "one seed" if scores.std is None else f"± {scores.std:.3f} over {len(choice.siblings)} seeds"
    labels = choice.run.labels("test")
    found = on_corpus(as_function(session(model)), corpus, choice.run.audio_stream, "test")
    rows = [f"| {label} | {f1:.3f} |" for label, f1 in zip(corpus.labels, f1_by_class(labels, found), strict=True)]
    note = "this file is one of the runs behind the mean."
    if choice.run.record.protocol.attend_padding:
        note = "the arm's mean is the tables', whose models attend to padding; this file never sees any."
    return "\n".join(
        [
            f"Test set of {corpus.name}, audio alone; {note}",
            "",
            "| | F1 |",
            "|---|---:|",
            f"| weighted, this file | {weighted_f1(labels, found):.3f} |",
            f"| weighted, its arm | {scores.mean:.3f}, {spread} |",
            *rows,
        ]
    )


def _limits(corpus: Corpus, run: Run) -> str:
    causal, recipe = save.streams(run), save.recipe(run)
    looks = "at an utterance and what was before it" if causal else "at all of it, what comes later included"
    lines = [
        "For research on emotion in conversation. Not for decisions about people: what a voice shows is not what a "
        "person feels, and a prediction is a guess with the error rate above.",
        f"Features must come from the extractor that made those of {corpus.name}"
        f"{f', {describe(recipe)}' if recipe else ''}; others give numbers without meaning.",
        f"A dialogue has one to {MAX_UTTERANCES} utterances{', in a stream any number' if causal else ''}. The model "
        f"looks {looks}.",
        "Speakers, languages and rooms that the corpus does not hold were never tested.",
    ]
    if corpus.name.startswith("synthetic"):
        lines.insert(0, "Trained on generated features: it shows how to deploy such a model, and predicts no emotion.")
    return "\n".join(f"- {line}" for line in lines)


def _licence(name: str) -> str:
    named = catalogue().get(name)
    return named.licence if named else "a file of its user's, whose licence its user knows."


def _test(run: Run) -> float:
    return weighted_f1(run.labels("test"), run.log_prob("test", "A"))
