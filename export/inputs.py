"""Load the dialogues to predict from a CSV, or from a corpus that one of the readers accepts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from export.predictor import DialogueFeatures, Predictor


def read(path: Path, predictor: Predictor) -> list[DialogueFeatures]:
    """Load the dialogues of a CSV or of a path that a corpus reader accepts, with the model's input features.

    Raises:
        BadInput: no reader accepts the file, or it cannot be read. IncompatibleFeatures: its features were extracted in
            another way than those that the model was trained on. ReplicateError: see the corpus readers.
    """
    from export.predictor import BadInput, DialogueFeatures, read_csv
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
