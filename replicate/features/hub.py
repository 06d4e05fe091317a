"""Models of the transformers library from a folder or the Hugging Face hub: one line about what cannot be loaded."""

from __future__ import annotations

import socket
import urllib.request
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import huggingface_hub
from huggingface_hub import constants
from transformers import logging

from replicate.errors import BadModel
from replicate.file_kinds import explain_file

_SECONDS = 5.0
# Settings of feature extractors that are axes of one matrix, and limits far above those of published models.
_BANDS = ("feature_size", "num_mel_bins", "n_fft")
_MOST_LAYERS, _MOST_BANDS = 200, 4096


def quiet() -> None:
    """Keep both libraries from printing warnings and progress; errors are reported in one line."""
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    huggingface_hub.logging.set_verbosity_error()
    # WavLM's attention, whose two masks are of different types, in every batch.
    warnings.filterwarnings("ignore", "Support for mismatched key_padding_mask")


def unreachable() -> str | None:
    """Return why the hub cannot be reached, None if it can be; the hub's library would try for half a minute."""
    if constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE is set"
    address = urlsplit(constants.ENDPOINT)
    proxies = urllib.request.getproxies()
    if not urllib.request.proxy_bypass(address.hostname or ""):
        address = urlsplit(proxies.get(address.scheme) or proxies.get("all") or constants.ENDPOINT)
    try:
        port = address.port or (80 if address.scheme == "http" else 443)
        socket.create_connection((address.hostname or "", port), _SECONDS).close()
    except (OSError, ValueError) as error:
        place = f"{address.hostname}, which {constants.ENDPOINT[:100]} needs,"
        return f"{place} cannot be reached: {getattr(error, 'strerror', None) or error}"
    return None


def check_sizes(name: str, settings: Mapping[str, Any]) -> None:
    """Refuse numbers that would take much time or memory before they are compared with a model's parameters.

    Raises:
        BadModel: names the setting.
    """
    for key, value in settings.items():
        most = _MOST_LAYERS if key.endswith("layers") else _MOST_BANDS if key in _BANDS else None
        if most is not None and isinstance(value, int | float) and value > most:
            raise BadModel(f"{name} has {key[:40]} = {str(value)[:40]}, more than {most}: fetch it again")


def failure(name: str, what: str, error: Exception) -> BadModel:
    """Return what to tell where a model whose files could be loaded fails: its settings do not fit each other."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return BadModel(f"{name} fails on {what} ({lines[0][:160]}): fetch it again with all its files of settings")


def out_of_memory(error: Exception) -> bool:
    """Return whether torch ran out of memory; it has a class for that only on GPUs."""
    return isinstance(error, RuntimeError) and "memory" in str(error)


def reason(error: Exception, folder: Path) -> str:
    """Return in one line why a model cannot be loaded: what one of the files is, if that tells, or the error."""
    if folder.is_dir():
        for path in sorted(folder.iterdir()):
            what = explain_file(path, zip_expected=True) if path.is_file() else None
            if what is not None:
                return f"{path} {what}"
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:160]
