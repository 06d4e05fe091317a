"""The model card of a bundle: training, results, intended use and limits of its model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from export.bundle import confidence, files_section, hub_metadata, sound_section
from export.bundle.select import Choice
from export.bundle_files import WAV
from export.limited_session import ONNXRUNTIME
from export.onnx import save
from export.onnx.quantise import Quantised
from export.onnx.session import as_function, on_corpus, session
from export.onnx.streaming_graph import state_size
from export.predictor import INT8, MAX_UTTERANCES, MODEL, STREAM
from export.scores import weighted_f1
from export.validate.check import Check
from replicate import grids
from replicate.config.profiles import SMOKE, profile, smoke_note
from replicate.corpus import named_corpora
from replicate.corpus.provenance import Recipe, describe
from replicate.corpus.readers.base import WEIGHTS, NamedCorpus
from replicate.corpus.types import Corpus
from replicate.escape import markdown
from replicate.metrics import by_dialogue, f1_by_class
from replicate.provenance import Provenance, in_words
from replicate.results.statistics import Summary, summarise
from replicate.store.run import Run
from replicate.store.settings_records import ArmRecord


def text(
    choice: Choice,
    corpus: Corpus,
    model: Path,
    checks: Sequence[Check],
    quantised: Quantised,
    data: NamedCorpus | None = None,
) -> str:
    """Write the card as Markdown with metadata for the hub; its scores are those of the exported file ``model``.

    Args:
        data: what the corpus was made of; None takes the corpus of its name.
    """
    data = data or named_corpora().get(choice.run.record.corpus.name)
    record = choice.run.record
    scores = _scores(choice, corpus, model)
    arm = record.arm.name
    sections = [
        f"# {markdown(arm)}, seed {record.seed}: emotion from speech alone",
        f"Predicts the emotion of every utterance of a dialogue ({_listed(corpus.labels)}) from its audio features. "
        "Made by a replication of *Bridging Modalities* (arXiv 2401.03000).",
        "## Use",
        _use(corpus, choice.run.audio_stream, save.recipe(choice.run)),
        *(["## Streaming", _streaming(choice.run)] if save.streams(choice.run) else []),
        *(["## Sound as input", sound_section.section(model.parent)] if (model.parent / WAV).is_file() else []),
        "## Files",
        files_section.section(model.parent, record.model),
        "## Training",
        _training(choice, corpus),
        "## Results",
        _results(choice, corpus, scores),
        "## Confidence",
        confidence.section(choice.run, corpus, model),
        "## Intended use and limits",
        _limits(corpus, choice.run),
        "## Checks",
        "\n".join(
            [
                *(f"- {check.name}: {markdown(check.found)}" for check in checks),
                f"- {INT8}: {markdown(quantised.summary)}",
            ]
        ),
        "## Licence",
        _licence(data),
    ]
    head = hub_metadata.front_matter(choice.run, corpus, scores.f1, scores.arm, data)
    return f"{head}\n" + "\n\n".join(sections) + "\n"


def _use(corpus: Corpus, stream: str, recipe: Recipe | None) -> str:
    width = corpus.widths[stream]
    return (
        f"```bash\npip install numpy 'onnxruntime>={ONNXRUNTIME}'\npython predict.py FILE.csv\n```\n\n"
        f"This needs Python 3.10 or newer, and onnxruntime {ONNXRUNTIME} or newer. "
        "`FILE.csv` has a row for each utterance, in order of time: `dialogue`, `speaker` "
        f"({_listed(corpus.speakers, ' or ')}), then {width} features, not standardised: `{MODEL}` standardises them. "
        "From Python:\n\n"
        "```python\nfrom predict import Predictor\n\n"
        f'prediction = Predictor(".")(features, speakers)  # (n, {width}) and n names\n'
        "print(prediction.emotions, prediction.probabilities)\n```"
    ) + (_recordings(recipe) if recipe else "")


def _recordings(recipe: Recipe) -> str:
    """Describe how to predict from recordings, for features whose extraction is known."""
    return (
        "\n\nFrom recordings, with the Python package bridging-modalities, which exported this bundle, and its extra "
        "`[audio]`. Its command is `replicate`; the package of that name is another project's. "
        f"Features are {markdown(describe(recipe))}:\n\n"
        "```bash\nreplicate predict . --audio CALL.wav --segments CALL.rttm --out timeline\n```"
    )


def _streaming(run: Run) -> str:
    """Describe how to predict utterance by utterance with a causal model, and what its state contains."""
    config = run.record.model
    size, layers = state_size(config), config.context_layers
    context = "The context layer" if layers == 1 else f"Each of the {layers} context layers"
    return (
        f"The model is causal: a prediction depends on the utterance and those before it. `{STREAM}` is the same model "
        f"for one utterance at a time. {context} attends to the last "
        f"{config.memory} utterances, including the present one, and each of the two graph layers to the present one "
        f"and {config.future} before it. The state between utterances has {size} numbers ({size * 4 / 1e3:.0f} kB), "
        "whatever the dialogue's length.\n\n"
        "```bash\npython predict.py --stream < FILE.csv\n```\n\n"
        "predicts each line as soon as it arrives; lines are those of `FILE.csv`, or objects "
        '`{"dialogue": "...", "speaker": "...", "features": [...]}`. From Python:\n\n'
        '```python\nstream = Predictor(".").stream()\nprint(stream.feed(features, speaker).emotions)\n```'
    )


def _training(choice: Choice, corpus: Corpus) -> str:
    record = choice.run.record
    stream = markdown(choice.run.audio_stream)
    best = f"the best seed of the best arm for the stream {stream}, on dev with that stream alone"
    reason = markdown(choice.why) or ("as requested" if choice.requested else best)
    *others, last = map(markdown, record.streams)
    streams = f"{', '.join(others)} and {last}" if others else last
    absent = [*map(markdown, save.absent_streams(choice.run))]
    lines = [
        f"- corpus {markdown(corpus.name)} ({record.corpus.hash[:12]}): "
        + ", ".join(f"{len(corpus.split(s))} dialogues for {s}" for s in ("train", "dev", "test")),
        f"- arm {markdown(record.arm.name)}, trained on {streams}{_how(record.arm)}",
        *([f"- absent here: {' and '.join(absent)}; the model takes zeros in their place"] if absent else []),
        f"- protocol {markdown(record.protocol.name)}; seed {record.seed}; epoch {record.best_epoch} of "
        f"{len(record.curve)}, chosen on dev",
        f"- run {markdown(record.key)}, {reason}",
        *([f"- {_provenance(record.provenance)}"] if record.provenance else []),
    ]
    smoke = replace(profile(SMOKE).budget, feed_forward=record.budget.feed_forward)  # a row may set the width
    if asdict(record.budget) == asdict(smoke):  # of two classes: the record has one without torch
        lines.insert(0, f"- **{smoke_note()}**")
    return "\n".join(lines + [f"- {markdown(note, begins_line=True)}" for note in corpus.notes])


def _provenance(found: Provenance) -> str:
    builds = ", ".join(map(" ".join, found.builds.items()))
    return markdown(f"{in_words(found.git_commit, found.git_clean)}; {found.processor}; {builds}")


def _how(arm: ArmRecord) -> str:
    """Describe how the training used masking and teachers."""
    masking = " with masking" if arm.masked else ""
    teacher = arm.teacher
    return masking + (
        f", distilled from {markdown(teacher.name)}, which was trained on {markdown(teacher.train)}" if teacher else ""
    )


class _Scores(NamedTuple):
    """Scores on the test split with audio alone: weighted F1 and F1 by class of the file, weighted F1 of the arm."""

    f1: float
    by_class: list[float]
    arm: Summary


def _scores(choice: Choice, corpus: Corpus, model: Path) -> _Scores:
    labels = choice.run.labels("test")
    found = on_corpus(as_function(session(model)), corpus, choice.run.audio_stream, "test")
    log_prob = np.log(np.maximum(found, np.finfo(np.float32).tiny))
    by_class = f1_by_class(by_dialogue(labels, log_prob, [len(labels)], len(corpus.labels)).sum(0))
    arm = summarise([_test(run) for run in choice.siblings])
    return _Scores(weighted_f1(labels, found, corpus.labels), by_class.tolist(), arm)


def _results(choice: Choice, corpus: Corpus, scores: _Scores) -> str:
    arm = scores.arm
    deviation = "one seed" if arm.std is None else f"± {arm.std:.3f} over {len(choice.siblings)} seeds"
    lines = [
        ("weighted, this file", f"{scores.f1:.3f}"),
        ("weighted, its arm", f"{arm.mean:.3f}, {deviation}"),
        *((label, f"{f1:.3f}") for label, f1 in zip(corpus.labels, scores.by_class, strict=True)),
    ]
    note = "the mean of the arm includes this file."
    if choice.run.record.protocol.attend_padding:
        note = "the mean of the arm is that of the tables, whose models attend to padding; this file masks it out."
    return "\n".join(
        [f"Test set of {markdown(corpus.name)}, audio alone; {note}", "", *grids.markdown(("", "F1"), lines)]
    )


def _limits(corpus: Corpus, run: Run) -> str:
    causal, recipe = save.streams(run), save.recipe(run)
    uses = "only the utterance and those before it" if causal else "the whole dialogue, including later utterances"
    lines = [
        "For research on emotion in conversation. Not for decisions about people: an emotion that a voice expresses is "
        "not always the one that a person feels. Expect predictions on other recordings to be wrong at least as often "
        "as those of the results above.",
        f"Features must come from the extractor that made those of {markdown(corpus.name)}"
        f"{f', {markdown(describe(recipe))}' if recipe else ''}; predictions from others are meaningless.",
        f"A dialogue has one to {MAX_UTTERANCES} utterances{' (any number in a stream)' if causal else ''}. A "
        f"prediction uses {uses}.",
        "Other speakers, languages and rooms than those of the corpus were not tested.",
    ]
    if corpus.name.startswith("synthetic"):
        lines.insert(
            0, "Trained on generated features: it shows how to deploy such a model, and cannot predict emotions."
        )
    return "\n".join(f"- {line}" for line in lines)


def _listed(names: Sequence[str], between: str = ", ") -> str:
    return between.join(map(markdown, names))


def _licence(data: NamedCorpus | None) -> str:
    if data is None:
        return "Code and weights: Apache-2.0. Data: a file of the user's own; see its licence."
    if data.weights == WEIGHTS:
        return f"Code and weights: Apache-2.0. Data: {data.licence}"
    return f"Code: Apache-2.0. Weights: {data.weights.upper()}, as the data that they were trained on. {data.licence}"


def _test(run: Run) -> float:
    return run.f1("A", "test")
