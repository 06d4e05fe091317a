"""Load HuBERT models of the transformers library from a folder or the Hugging Face hub."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

import torch
from transformers import HubertConfig, HubertModel, Wav2Vec2FeatureExtractor

from replicate.errors import BadModel, ReplicateError
from replicate.features import hub
from replicate.features.audio import RATE

MODEL = "facebook/hubert-large-ls960-ft"


class Frames(NamedTuple):
    """Frames of a model's convolutions, in samples.

    Attributes:
        stride: samples between the starts of two frames.
        receptive: samples that a frame depends on.
    """

    stride: int
    receptive: int

    @staticmethod
    def of(config: HubertConfig) -> Frames:
        """Compute both from the kernels and strides of the convolutions."""
        stride, receptive = 1, 1
        for kernel, step in zip(config.conv_kernel, config.conv_stride, strict=True):
            receptive += (kernel - 1) * stride
            stride *= step
        return Frames(stride, receptive)

    def count(self, samples: int) -> int:
        """Return the number of frames of a signal."""
        return max(0, (samples - self.receptive) // self.stride + 1)


def load(name: str) -> tuple[HubertModel, bool]:
    """Return a model in float32 for inference, and whether its input must be normalised to mean 0 and deviation 1.

    Code that comes with a model is never executed.

    Raises:
        BadModel: there is no HuBERT model of that name, or the hub cannot be reached.
    """
    folder = Path(name)
    if not folder.is_dir() and (folder.is_absolute() or name.startswith(".") or name.count("/") != 1):
        raise BadModel(f"no folder {name}: give a folder with a HuBERT model, or a name on the hub such as {MODEL}")
    hub.quiet()
    away = None if folder.is_dir() else hub.unreachable()
    local = away is not None
    try:
        config, _ = HubertConfig.get_config_dict(name, local_files_only=local)
        if not config:
            raise OSError("no config.json")
        if config.get("model_type") != "hubert":
            raise BadModel(f"{name} is a model of type {config.get('model_type')}, not hubert: choose one that is")
        model, report = HubertModel.from_pretrained(
            name, dtype=torch.float32, output_loading_info=True, local_files_only=local
        )
        processor = Wav2Vec2FeatureExtractor.from_pretrained(name, local_files_only=local)
    except (ReplicateError, MemoryError):
        raise
    except Exception as error:  # a damaged model can raise any
        reason = away or hub.reason(error, folder)
        what = "is not a folder with a HuBERT model" if folder.is_dir() else "cannot be fetched from the hub"
        raise BadModel(
            f"{name} {what} ({reason}): give --model a folder with config.json, preprocessor_config.json and "
            "model.safetensors, which can be fetched on a machine with network"
        ) from error
    # This parameter is used in training only, and many files lack it.
    missing = sorted(set(report["missing_keys"]) - {"masked_spec_embed"})
    if missing:
        raise BadModel(f"{name} lacks parameters ({missing[0]} and {len(missing) - 1} more): fetch it again")
    if processor.sampling_rate != RATE:
        raise BadModel(f"{name} needs {processor.sampling_rate} samples per second, not {RATE}: choose another model")
    return model.eval(), bool(processor.do_normalize)


def fingerprint(model: HubertModel) -> str:
    """Return the hex SHA-256 of names and values of all parameters."""
    digest = hashlib.sha256()
    for name, values in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(values.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
