"""Features of speech encoders: hidden states of one layer, or a weighted sum of all, averaged over an utterance."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from replicate.devices import resolve_device
from replicate.errors import BadModel, TooLittleMemory
from replicate.features import hub
from replicate.features.audio import RATE
from replicate.features.checkpoint import MODEL, fingerprint, load
from replicate.features.encoder_input import Signal

# Seconds of signal on both sides of the frames that are used from a window.
CONTEXT_SECONDS = 2.0


@dataclass(frozen=True)
class Choice:
    """The settings that decide the numbers.

    Attributes:
        model: folder with a model of the transformers library, or a name on the Hugging Face hub.
        layer: last, second-to-last, weighted, or a number; 0 is the input of the first layer.
        weights: weights of the hidden states from 0 to the last, for ``layer`` weighted; they are divided by their sum.
            Without weights all are equal, as transformers initialises them.
        chunk_seconds: an utterance up to this length is computed as a whole. A longer one is computed in windows of
            this length that overlap by ``2 * CONTEXT_SECONDS``, and frames closer than ``CONTEXT_SECONDS`` to a cut are
            not used. Frames attend to their own window only, so the vector is close to that of the whole, not equal.
    """

    model: str = MODEL
    layer: str = "last"
    weights: tuple[float, ...] = ()
    chunk_seconds: float = 30.0


class _Window(NamedTuple):
    """Samples begin:end of a signal, and the frames first:last of their hidden states that are used."""

    signal: int
    begin: int
    end: int
    first: int
    last: int


class Encoder:
    """Extractor of a speech encoder's features in float32.

    Models whose output depends on padding (``EncoderInput.alone``) get one window at a time. Other models get batches
    of ``batch_seconds``, padding included; the mean of an utterance is over its own frames.

    Attributes:
        stream: name of the feature stream; tables read ``hubert``.
        shortest: samples that an utterance needs at least.
        recipe: the settings, a hash of the parameters, and versions. The recipe of a HuBERT model is the one of
            earlier versions of this package, whose corpora and bundles have the same numbers.

    Raises:
        BadModel: there is no such model or layer, or the hub cannot be reached. MissingDevice: there is no GPU.
    """

    def __init__(
        self, choice: Choice, device: str = "auto", batch_seconds: float = 60.0, stream: str = "hubert"
    ) -> None:
        self._device = resolve_device(device)
        self._model, kind, self._input = load(choice.model)
        self._layers = self._model.config.num_hidden_layers
        self._mix = mixture(choice, self._layers)
        self._model.to(self._device)
        self._frames = self._input.frames
        self._chunk = self._window_frames(choice)
        self.stream = stream
        self.batch_seconds = batch_seconds
        self.shortest = self._input.shortest
        self.recipe: dict[str, Any] = {
            **({"extractor": "hubert"} if kind == "hubert" else {"extractor": "encoder", "type": kind}),
            "model": str(Path(choice.model).resolve()) if Path(choice.model).is_dir() else choice.model,
            "parameters": fingerprint(self._model),
            "layer": choice.layer,
            "weights": list(choice.weights),
            "chunk_seconds": choice.chunk_seconds,
            "context_seconds": CONTEXT_SECONDS,
            "rate": RATE,
            "versions": {name: version(name) for name in ("torch", "transformers", "soxr")},
        }

    def _window_frames(self, choice: Choice) -> int:
        """Return the frames of a window: enough for the context on both sides and frames in between."""
        longest = self._input.longest
        found = max(self._frames.count(round(choice.chunk_seconds * RATE)), 4 * self._context)
        if longest is not None and found > longest:
            raise BadModel(
                f"{choice.model} takes windows of up to {longest * self._frames.stride / RATE:g} s, not "
                f"{choice.chunk_seconds:g}: choose a shorter --chunk"
            )
        return found

    @property
    def _context(self) -> int:
        return round(CONTEXT_SECONDS * RATE / self._frames.stride)

    def __call__(self, signals: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Compute the vectors of 16 kHz signals.

        Shapes:
            returns: (signals, width) float32.

        Raises:
            TooLittleMemory: a batch does not fit into memory. BadModel: the model's settings do not fit each other.
        """
        inputs = [self._input.signal(signal) for signal in signals]
        sums = np.zeros((len(signals), self._model.config.hidden_size))
        for batch in self._batches(sorted(self._windows(signals), key=lambda window: window.end - window.begin)):
            try:
                totals = self._sums(inputs, batch)
            except MemoryError:
                raise
            except Exception as error:  # settings that do not fit can raise any
                if not hub.out_of_memory(error):
                    raise hub.failure(self.recipe["model"], f"{len(batch)} windows of speech", error) from error
                raise TooLittleMemory(
                    f"the memory of {self._device} is too small for {len(batch)} windows at once: extract with a "
                    "smaller --batch, or if it is 1 window a smaller --chunk; what was extracted is saved"
                ) from error
            for window, total in zip(batch, totals, strict=True):
                sums[window.signal] += total
        counts = np.array([[self._frames.count(len(signal))] for signal in signals])
        return (sums / counts).astype(np.float32)

    def _windows(self, signals: Sequence[NDArray[np.float32]]) -> Iterator[_Window]:
        for i, signal in enumerate(signals):
            total = self._frames.count(len(signal))
            if total <= self._chunk:
                yield _Window(i, 0, len(signal), 0, total)
                continue
            hop = self._chunk - 2 * self._context
            for start in range(0, total, hop):
                stop = min(start + hop, total)
                low, high = max(0, start - self._context), min(total, stop + self._context)
                begin = low * self._frames.stride
                end = min(begin + self._frames.samples(high - low), len(signal))
                yield _Window(i, begin, end, start - low, stop - low)

    def _batches(self, windows: Sequence[_Window]) -> Iterator[list[_Window]]:
        """Yield batches of windows, shortest first: up to ``batch_seconds`` with padding, or a single window."""
        batch: list[_Window] = []
        for window in windows:
            padded = self._input.padded(window.end - window.begin)
            full = (len(batch) + 1) * padded > self.batch_seconds * RATE
            if batch and (full or self._input.alone):
                yield batch
                batch = []
            batch.append(window)
        if batch:
            yield batch

    @torch.inference_mode()
    def _sums(self, inputs: Sequence[Signal], batch: Sequence[_Window]) -> NDArray[np.float64]:
        """Return (windows, width): sums over the used frames."""
        windows = [inputs[signal].window(begin, end) for signal, begin, end, _, _ in batch]
        # tf32 convolutions would differ in the third digit.
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            found = self._model(
                **{name: values.to(self._device) for name, values in self._input(windows).items()},
                output_hidden_states=any(layer < self._layers for layer in self._mix),
            )
        # The last state is the one after the final normalisation, in every version of transformers.
        states = [*(found.hidden_states or ())[: self._layers], found.last_hidden_state]
        mixed = sum(weight * states[layer if found.hidden_states else -1] for layer, weight in self._mix.items())
        sums = [mixed[row, first:last].double().sum(0) for row, (_, _, _, first, last) in enumerate(batch)]
        return torch.stack(sums).cpu().numpy()


def mixture(choice: Choice, layers: int) -> dict[int, float]:
    """Return number of a hidden state, 0 to ``layers`` -> its weight.

    Raises:
        BadModel: there is no such layer, or the number of weights is not the number of hidden states.
    """
    if choice.layer != "weighted":
        layer = {"last": layers, "second-to-last": layers - 1}.get(choice.layer, choice.layer)
        if not str(layer).isdecimal() or int(layer) > layers:
            raise BadModel(
                f"{choice.model} has no layer {choice.layer}: choose last, second-to-last, weighted, or 0 to {layers}"
            )
        return {int(layer): 1.0}
    weights = choice.weights or (1.0,) * (layers + 1)
    total = sum(weights)
    if len(weights) != layers + 1 or not 0 < total < float("inf"):
        raise BadModel(
            f"{len(weights)} layer weights of sum {total:g} for {choice.model}: it needs {layers + 1} of sum above 0"
        )
    return {i: weight / total for i, weight in enumerate(weights)}
