"""A model file of a bundle: its metadata, its inputs and outputs, and what it gives for an ordinary utterance.

``predict.py`` of every bundle contains this module.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from export.bundle_files import BadBundle
from export.graph_check import check_probabilities, shown
from export.limited_session import CPU, LimitedSession
from export.metadata import check_metadata

# Name and version of the metadata in an exported file. A change that an earlier version of this package would
# misunderstand takes a new number; the entries of ``metadata.FITTED`` were added since, and have defaults.
FORMAT_NAME, FORMAT_VERSION = "bridging-modalities", 2


class Model(LimitedSession):
    """A model of a bundle, tried on one ordinary utterance.

    Args:
        stream: the file must be one that predicts utterance by utterance.
        wave: it must be one that takes waveforms.

    Attributes:
        metadata: everything the file says about itself.

    Raises:
        BadBundle: it is no file of our exporter, or cannot be run. BadInput: a provider is not available.
    """

    def __init__(
        self,
        path: Path,
        threads: int = 1,
        providers: Sequence[str] = (CPU,),
        limited: bool = True,
        stream: bool = False,
        wave: bool = False,
    ) -> None:
        super().__init__(path, threads, providers, limited)
        self.metadata = read_metadata(self.session, path, stream, wave)
        self._try_out(stream, wave)

    def check(self, probabilities: NDArray[np.float32], shape: tuple[int, ...]) -> None:
        """Check that outputs are probabilities. Raises: BadBundle: they are not."""
        try:
            check_probabilities(probabilities, shape)
        except ValueError as error:
            raise BadBundle(f"{self.path} is no model of `replicate export onnx`: {error}; export again") from error

    def _try_out(self, stream: bool, wave: bool) -> None:
        """Predict one utterance with the mean features of the training, or of 50 ms of silence."""
        about = self.metadata
        audio = np.array(about["standardisation"][about["audio_stream"]]["mean"], np.float32)[None]
        inputs: dict[str, NDArray[Any]]
        if wave:
            inputs = {"waveform": np.zeros((1, 800), np.float32), "samples": np.array([800])}
            inputs |= {"speaker": np.zeros(1, np.int64)}
        elif stream:
            inputs = {"audio": audio, "speaker": np.zeros(1, np.int64)}
        else:
            inputs = {"audio": audio[None], "speaker": np.zeros((1, 1), np.int64), "length": np.ones(1, np.int64)}
        outputs = self.run(inputs | ({"state": np.zeros(about["state"], np.float32)} if stream else {}))
        if not all(np.isfinite(output).all() for output in outputs):
            raise BadBundle(f"{self.path} gives numbers that are not finite for ordinary features: export again")
        classes = len(about["labels"])
        self.check(outputs[0], (1, classes) if stream or wave else (1, 1, classes))


def read_metadata(
    session: onnxruntime.InferenceSession, path: Path, stream: bool = False, wave: bool = False
) -> dict[str, Any]:
    """Read an exported file's metadata and compare them with its inputs and outputs.

    Args:
        stream, wave: see ``Model``.

    Raises:
        BadBundle: another version or another program exported the file.
    """
    try:
        found = session.get_modelmeta().custom_metadata_map
    except UnicodeDecodeError as error:
        raise BadBundle(f"{path} was not exported by `replicate export onnx` ({error}): export again") from error
    check_format(found.get("format", ""), path)
    try:
        metadata = check_metadata(found, stream)
        _check_shapes(session, metadata, stream, wave)
    except (KeyError, ValueError, TypeError) as error:
        raise BadBundle(f"{path} was not exported by `replicate export onnx` ({error}): export again") from error
    return metadata


def check_format(found: str, path: Path) -> None:
    """Compare the format that a file names in its metadata with the one that this version writes.

    Raises:
        BadBundle: they differ; says whether the file is older or newer.
    """
    name, _, version = found[:80].partition(" ")
    if name != FORMAT_NAME or not (version.isascii() and version.isdecimal()):
        raise BadBundle(f"{path} was not exported by `replicate export onnx`")
    if int(version) < FORMAT_VERSION:
        raise BadBundle(f"{path} was exported by an older version of this package: export again")
    if int(version) > FORMAT_VERSION:
        raise BadBundle(f"{path} was exported by a newer version of this package: update it, or export again")


# Names and numbers of axes of the inputs and outputs of each kind of file, by (stream, wave).
_ENDS: dict[tuple[bool, bool], list[dict[str, int]]] = {
    (False, False): [{"audio": 3, "speaker": 2, "length": 1}, {"probability": 3}],
    (True, False): [{"audio": 2, "speaker": 1, "state": 1}, {"probability": 2, "new_state": 1}],
    (False, True): [{"waveform": 2, "samples": 1, "speaker": 1}, {"probability": 2, "features": 2}],
    (True, True): [
        {"waveform": 2, "samples": 1, "speaker": 1, "state": 1},
        {"probability": 2, "new_state": 1, "features": 2},
    ],
}


def _check_shapes(session: onnxruntime.InferenceSession, metadata: dict[str, Any], stream: bool, wave: bool) -> None:
    """Refuse a file whose inputs and outputs differ from its metadata."""
    inputs, outputs = session.get_inputs(), session.get_outputs()
    # Lists, because a file may have an output twice.
    found = [[(value.name, len(value.shape)) for value in values] for values in (inputs, outputs)]
    if found != [list(ends.items()) for ends in _ENDS[stream, wave]]:
        names = [shown(", ".join(name for name, _ in ends)) for ends in found]
        raise ValueError(f"its inputs are {names[0]} and its outputs {names[1]}")
    if stream and not inputs[-1].shape == outputs[1].shape == [metadata["state"]]:
        raise ValueError("the size of its state differs from its metadata")
    ends = (outputs[-1] if wave else inputs[0]).shape[-1], outputs[0].shape[-1]
    if ends != (metadata["widths"][metadata["audio_stream"]], len(metadata["labels"])):
        raise ValueError(f"it maps {shown(ends[0])} features to {shown(ends[1])} classes, unlike its metadata")
