"""Load speech encoders of the transformers library from a folder or the Hugging Face hub."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, NamedTuple

import torch
from transformers import (
    AutoModel,
    PretrainedConfig,
    SeamlessM4TFeatureExtractor,
    Wav2Vec2FeatureExtractor,
    WhisperFeatureExtractor,
)

from replicate.corpus.provenance import ENCODERS
from replicate.errors import BadModel, ReplicateError
from replicate.features import hub
from replicate.features.audio import RATE
from replicate.features.encoder_input import EncoderInput, FilterBanks, Frames, LogMel, Waveforms

MODEL = "facebook/hubert-large-ls960-ft"
WHISPER, BERT = "whisper", "wav2vec2-bert"
# Of the types that take something else than waveforms.
_EXTRACTORS = {WHISPER: WhisperFeatureExtractor, BERT: SeamlessM4TFeatureExtractor}
# Samples between two filter banks, and of one, in w2v-BERT's feature extractor, which has no settings for them.
_HOP, _WINDOW = 160, 400
# Types that mask padding out wherever it could reach a frame. Others do not: the first convolution of models with group
# normalisation averages over time, and padding spreads in the position convolutions of data2vec and in a conformer.
_MASK_PADDING = ("hubert", "unispeech", "unispeech-sat", "wav2vec2", "wavlm")
# The first is used in training only, and many files lack it.
_NOT_NEEDED = ("masked_spec_embed", "decoder.")


class Loaded(NamedTuple):
    """A model in float32 for inference, its type in the transformers library, and what makes its input."""

    model: Any
    type: str
    input: EncoderInput


def load(name: str) -> Loaded:
    """Return a speech encoder. Code that comes with a model is never executed.

    Raises:
        BadModel: there is no speech encoder of that name, or the hub cannot be reached.
    """
    folder = Path(name)
    if not folder.is_dir() and (folder.is_absolute() or name.startswith(".") or name.count("/") != 1):
        raise BadModel(f"no folder {name}: give a folder with a speech encoder, or a name on the hub such as {MODEL}")
    hub.quiet()
    away = None if folder.is_dir() else hub.unreachable()
    try:
        return _loaded(name, local_files_only=away is not None)
    except (ReplicateError, MemoryError):
        raise
    except Exception as error:  # a damaged model can raise any
        reason = away or hub.reason(error, folder)
        what = "is not a folder with a speech encoder" if folder.is_dir() else "cannot be fetched from the hub"
        raise BadModel(
            f"{name} {what} ({reason}): give --model a folder with config.json, preprocessor_config.json and "
            "model.safetensors, which can be fetched on a machine with network"
        ) from error


def _loaded(name: str, local_files_only: bool) -> Loaded:
    config, _ = PretrainedConfig.get_config_dict(name, local_files_only=local_files_only)
    if not config:
        raise OSError("no config.json")
    type_ = _encoder_type(name, config)
    kind = _EXTRACTORS.get(type_, Wav2Vec2FeatureExtractor)
    settings, _ = kind.get_feature_extractor_dict(name, local_files_only=local_files_only)
    hub.check_sizes(name, config | settings)
    # An adapter after the last layer, which some models for translation have, would change the frames.
    changes = {"add_adapter": False} if config.get("add_adapter") else {}
    model, report = AutoModel.from_pretrained(
        name,
        dtype=torch.float32,
        output_loading_info=True,
        local_files_only=local_files_only,
        trust_remote_code=False,
        **changes,
    )
    processor = kind.from_pretrained(name, local_files_only=local_files_only)
    missing = sorted(key for key in report["missing_keys"] if not key.startswith(_NOT_NEEDED))
    if missing:
        raise BadModel(f"{name} lacks parameters ({missing[0]} and {len(missing) - 1} more): fetch it again")
    if processor.sampling_rate != RATE:
        raise BadModel(
            f"{name} needs {str(processor.sampling_rate)[:20]} samples per second, not {RATE}: choose another model"
        )
    model.eval()
    if type_ == WHISPER:
        return Loaded(model.get_encoder(), type_, _log_mel(name, model.config, processor))
    if type_ == BERT:
        return Loaded(model, type_, _filter_banks(name, model.config, processor))
    frames, alone = Frames.of(model.config), _alone(type_, model.config)
    return Loaded(model, type_, Waveforms(frames, alone, bool(processor.do_normalize)))


def _encoder_type(name: str, config: dict[str, Any]) -> str:
    found = config.get("model_type")
    if not isinstance(found, str) or found not in ENCODERS:
        raise BadModel(
            f"{name} is a model of type {str(found)[:40]}, not a speech encoder: choose one of type "
            f"{', '.join(sorted(ENCODERS))}"
        )
    return found


def _alone(type_: str, config: Any) -> bool:
    """Return whether padding would change the hidden states of a shorter window in a batch."""
    return (
        type_ not in _MASK_PADDING
        or getattr(config, "feat_extract_norm", "group") != "layer"
        or bool(getattr(config, "conv_pos_batch_norm", False))  # padding is not zero after it
    )


def _log_mel(name: str, config: Any, processor: Any) -> LogMel:
    """Return the input of Whisper's encoder: two spectra are a frame, and every window has all positions."""
    stride, positions = 2 * processor.hop_length, config.max_source_positions
    if positions * stride != processor.n_samples or processor.feature_size != config.num_mel_bins:
        raise BadModel(
            f"{name}: the model takes {config.num_mel_bins} mel bands and {positions * stride} samples, its "
            f"preprocessor_config.json gives {processor.feature_size} and {processor.n_samples}: fetch both again"
        )
    return LogMel(processor, Frames(stride, 1), positions)


def _filter_banks(name: str, config: Any, processor: Any) -> FilterBanks:
    """Return the input of w2v-BERT: two filter banks are a frame."""
    if processor.stride != 2 or 2 * processor.num_mel_bins != config.feature_projection_input_dim:
        raise BadModel(
            f"{name}: the model takes {config.feature_projection_input_dim} values a frame, its "
            f"preprocessor_config.json gives {processor.stride * processor.num_mel_bins}: fetch both again"
        )
    return FilterBanks(processor, Frames(2 * _HOP, _HOP + _WINDOW))


def fingerprint(model: Any) -> str:
    """Return the hex SHA-256 of names and values of all parameters."""
    digest = hashlib.sha256()
    for name, values in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(values.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
