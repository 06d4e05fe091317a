"""HuBERT models as transformers stores them: in a folder, or on the hub."""

from __future__ import annotations

import hashlib
from pathlib import Path
from pickle import UnpicklingError
from typing import NamedTuple

import torch
from safetensors import SafetensorError
from transformers import HubertConfig, HubertModel, Wav2Vec2FeatureExtractor, logging

from replicate.errors import BadModel
from replicate.features.audio import RATE

MODEL = "facebook/hubert-large-ls960-ft"


class Frames(NamedTuple):
    """How the convolutions of a model turn samples into frames."""

    stride: int
    receptive: int

    @staticmethod
    def of(config: HubertConfig) -> Frames:
        """From the kernels and strides of the convolutions."""
        stride, receptive = 1, 1
        for kernel, step in zip(config.conv_kernel, config.conv_stride, strict=True):
            receptive += (kernel - 1) * stride
            stride *= step
        return Frames(stride, receptive)

    def count(self, samples: int) -> int:
        """Frames of so many samples."""
        return max(0, (samples - self.receptive) // self.stride + 1)


def load(name: str) -> tuple[HubertModel, bool]:
    """A model in float32 for inference, and whether it wants each signal's mean subtracted and deviation divided by.

    Never runs code that comes with the model.

    Raises:
        BadModel: no HuBERT model there, or the hub cannot be reached.
    """
    folder = Path(name)
    if not folder.is_dir() and (folder.is_absolute() or name.startswith(".") or name.count("/") != 1):
        raise BadModel(f"no folder {name}: give a folder with a HuBERT model, or a name on the hub such as {MODEL}")
    # What is wrong is said below, in one line.
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        config, _ = HubertConfig.get_config_dict(name)
        if not config:
            raise OSError("no config.json")
        if config.get("model_type") != "hubert":
            raise BadModel(f"{name} is a model of type {config.get('model_type')}, not hubert: choose one that is")
        model, report = HubertModel.from_pretrained(name, dtype=torch.float32, output_loading_info=True)
        processor = Wav2Vec2FeatureExtractor.from_pretrained(name)
    except (OSError, ValueError, RuntimeError, SafetensorError, UnpicklingError) as error:
        reason = str(error).strip().splitlines()[0][:160] if str(error).strip() else type(error).__name__
        what = "is no folder with a HuBERT model of transformers" if folder.is_dir() else "cannot be had from the hub"
        raise BadModel(
            f"{name} {what} ({reason}): give with --model a folder of config.json, preprocessor_config.json and "
            "model.safetensors; a machine with network can fetch one"
        ) from error
    # It is used in training only, and many files leave it out.
    missing = sorted(set(report["missing_keys"]) - {"masked_spec_embed"})
    if missing:
        raise BadModel(f"{name} lacks parameters ({missing[0]} and {len(missing) - 1} more): fetch it again")
    if processor.sampling_rate != RATE:
        raise BadModel(f"{name} wants {processor.sampling_rate} samples per second, not {RATE}: choose another model")
    return model.eval(), bool(processor.do_normalize)


def fingerprint(model: HubertModel) -> str:
    """Hex SHA-256 of names and values of all parameters."""
    digest = hashlib.sha256()
    for name, values in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(values.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
