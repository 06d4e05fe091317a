"""Open a bundle of anybody without PyTorch, which takes seconds to import: checksums, the run's record, the models."""

from __future__ import annotations

from pathlib import Path

from export import predictor
from export.bundle_files import CHECKSUMS, INT8, MODEL, STREAM, WAV, WAV_STREAM
from export.model_file import Model
from export.validate.check import Check, Wrong, attempt
from replicate.errors import BadBundle, CorruptRun, NewerFormat, OldFormat
from replicate.store.record import CHECKPOINT, PREDICTIONS, RECORD, without_remedy
from replicate.store.run import Run
from replicate.store.store import Store

RUN = "run"


def open_run(folder: Path) -> Run:
    """Open the run in a bundle, after a check of the checksums of all files, and of the run's predictions.

    Raises:
        BadBundle: a file was changed, the folder is not a bundle, or another version of this package exported it.
    """
    try:
        listed = predictor.verify(folder)
    except predictor.BadBundle as error:
        raise BadBundle(str(error)) from error
    keys = {name.split("/")[1] for name in listed if name.startswith(f"{RUN}/")}
    names = {f"{RUN}/{key}/{name}" for key in keys for name in (RECORD, CHECKPOINT, PREDICTIONS)}
    if len(keys) != 1 or not names <= set(listed):
        raise BadBundle(f"{folder} lists {len(keys)} complete runs in {CHECKSUMS} instead of one: export again")
    try:
        run = Store(folder / RUN).get(keys.pop())
        assert run is not None  # its files are listed, and were read a moment ago
        run.check()
    except OldFormat as error:
        raise BadBundle(f"{folder} was exported by an older version of this package: export again") from error
    except NewerFormat as error:
        raise BadBundle(f"{folder} was exported by a newer version of this package: update it") from error
    except CorruptRun as error:
        raise BadBundle(unusable(folder, error)) from error
    return run


def open_models(folder: Path) -> list[Check]:
    """Open every model of a bundle in onnxruntime, and predict an utterance with it."""

    def opened(name: str) -> str:
        try:
            Model(folder / name, stream=name in (STREAM, WAV_STREAM), wave=name in (WAV, WAV_STREAM))
        except (predictor.BadBundle, predictor.BadInput) as error:
            raise Wrong(str(error)) from error
        return "predicts an utterance"

    there = [name for name in (MODEL, INT8, STREAM, WAV, WAV_STREAM) if (folder / name).is_file()]
    return [attempt(name, lambda name=name: opened(name)) for name in there]  # type: ignore[misc]


def unusable(folder: Path, error: CorruptRun) -> str:
    """Return the message for a bundle whose run is damaged: nothing trains the run of a bundle again."""
    return f"the run in {folder} cannot be used, export again ({without_remedy(error)})"
