"""Load the dialogues to predict from a CSV, or from a corpus that one of the readers accepts."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from export.graph_check import listed

if TYPE_CHECKING:
    from export.lines import DialogueFeatures
    from export.predictor import Predictor


def unknown_labels(name: str, labels: Collection[str], known: Sequence[str]) -> str | None:
    """Return a note on labels that the model does not know, which is no obstacle to predicting; None without any."""
    from replicate.features.source import UNLABELLED

    others = sorted(set(labels) - {*known, UNLABELLED, ""})
    if not others:
        return None
    return f"{name} has labels that the model does not know ({listed(others)}): it predicts {listed(known)}"


def read(path: Path, predictor: Predictor) -> list[DialogueFeatures]:
    """Load the dialogues of a CSV or of a path that a corpus reader accepts, with the model's input features.

    Raises:
        BadInput: no reader accepts the file, or it cannot be read. IncompatibleFeatures: its features were extracted in
            another way than those that the model was trained on. ReplicateError: see the corpus readers.
    """
    from export.bundle_files import BadInput
    from export.lines import DialogueFeatures, read_csv
    from replicate.corpus import load
    from replicate.corpus.provenance import describe, same
    from replicate.errors import IncompatibleFeatures, UnknownCorpus

    if not path.exists():
        raise BadInput(f"no file {path}")
    if path.suffix.lower() == ".csv":
        return read_csv(path)
    try:
        corpus = load(path)
    except UnknownCorpus as error:
        raise BadInput(
            f"{path} must be a .csv, .npz or .pkl file, or one that a corpus reader of yours in --config-dir accepts"
        ) from error
    used = {corpus.labels[label] for dialogue in corpus.dialogues for label in dialogue.labels}
    note = unknown_labels(path.name, used, predictor.labels)
    if note:
        logging.getLogger("export").info(f"note: {note}")
    stream = predictor.audio_stream
    if stream not in corpus.widths:
        raise BadInput(f"{path} has no stream {stream!r}, only {', '.join(corpus.widths)}")
    made, trained = corpus.recipes.get(stream), predictor.metadata.get("recipe")
    if made and trained and not same(made, trained):
        raise IncompatibleFeatures(
            f"the model was trained on {describe(trained)}, but {path} contains {describe(made)}: extract its features "
            "again, as `replicate data info` shows for the training corpus"
        )
    return [
        DialogueFeatures(d.id, [corpus.speakers[i] for i in d.speakers], d.features[stream]) for d in corpus.dialogues
    ]
