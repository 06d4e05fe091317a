"""Dialogues to predict from, read from a corpus file, a CSV or a pickle of the COGMEN release."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from export.predictor import DialogueFeatures, Predictor


def read(path: Path, predictor: Predictor) -> list[DialogueFeatures]:
    """The dialogues of a file in any of the formats, with the stream that the model hears.

    Raises:
        BadInput: it is none, or cannot be read. OtherFeatures: they were extracted in another way than the model's.
        ReplicateError: see the corpus readers.
    """
    from export.predictor import BadInput, DialogueFeatures, read_csv
    from replicate.corpus import load
    from replicate.corpus.provenance import describe, same
    from replicate.errors import OtherFeatures

    if not path.is_file():
        raise BadInput(f"no file {path}")
    if path.suffix.lower() == ".csv":
        return read_csv(path)
    if path.suffix.lower() not in (".npz", ".pkl"):
        raise BadInput(f"{path} is neither .csv nor .npz nor .pkl")
    corpus = load(path)
    audio_stream = predictor.audio_stream
    if audio_stream not in corpus.widths:
        raise BadInput(f"{path} has no stream {audio_stream!r}, only {', '.join(corpus.widths)}")
    made, trained = corpus.recipes.get(audio_stream), predictor.about.get("recipe")
    if made and trained and not same(made, trained):
        raise OtherFeatures(
            f"the model was trained on {describe(trained)}, and {path} holds {describe(made)}: extract its features "
            "again, as `replicate data info` shows it for the training corpus"
        )
    return [
        DialogueFeatures(d.id, [corpus.speakers[i] for i in d.speakers], d.features[audio_stream])
        for d in corpus.dialogues
    ]
