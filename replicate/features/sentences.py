"""Text features of a sentence encoder of the transformers library: the mean of its last layer over a text's tokens."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoModel, AutoTokenizer, PretrainedConfig

from replicate.devices import resolve_device
from replicate.errors import BadModel, ReplicateError, TooLittleMemory
from replicate.features import hub
from replicate.features.checkpoint import fingerprint

_BATCH = 32
_LONGEST = 8192  # tokens, where neither model nor tokenizer has a limit


class SentenceEncoder:
    """A model in float32 for inference; code that comes with a model is never executed.

    Args:
        name: folder with a model, or its name on the hub.
        revision: commit on the hub; needed for a name.
        download: fetch from the hub what is not on this machine.

    Attributes:
        truncated: number of texts so far that were longer than the model's input.
        recipe: the settings, a hash of the parameters, and versions.

    Raises:
        BadModel: there is no such model, or it is not on this machine. MissingDevice: there is no GPU.
    """

    stream = "text"

    def __init__(self, name: str, revision: str | None = None, download: bool = False, device: str = "auto") -> None:
        self._device = resolve_device(device)
        self._tokenizer, self._model, self._longest = _load(name, revision, download)
        self._model.to(self._device)
        self.truncated = 0
        self.recipe: dict[str, Any] = {
            "extractor": "sentence-encoder",
            "model": str(Path(name).resolve()) if Path(name).is_dir() else name,
            "revision": revision or "",
            "parameters": fingerprint(self._model),
            "pooling": "mean",
            "longest": self._longest,
            "versions": {package: version(package) for package in ("torch", "transformers")},
        }

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return (texts, width) float32; padding is masked out of attention and means.

        Raises:
            TooLittleMemory: a batch does not fit into memory. BadModel: the model's settings do not fit each other.
        """
        try:
            return self._vectors(texts)
        except MemoryError:
            raise
        except Exception as error:  # settings that do not fit can raise any
            if hub.out_of_memory(error):
                raise TooLittleMemory(
                    f"the memory of {self._device} is too small for {_BATCH} texts at once: choose a smaller encoder, "
                    "or a machine with more memory"
                ) from error
            raise hub.failure(self.recipe["model"], "texts", error) from error

    @torch.inference_mode()
    def _vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        # Similar lengths need little padding.
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        found: dict[int, NDArray[np.float32]] = {}
        for start in range(0, len(order), _BATCH):
            chosen = order[start : start + _BATCH]
            self.truncated += sum(
                len(ids) > self._longest for ids in self._tokenizer([texts[i] for i in chosen])["input_ids"]
            )
            inputs = self._tokenizer(
                [texts[i] for i in chosen],
                padding=True,
                truncation=True,
                max_length=self._longest,
                return_tensors="pt",
            ).to(self._device)
            states = self._model(**inputs).last_hidden_state
            mask = inputs["attention_mask"].unsqueeze(-1).to(states.dtype)
            means = (states * mask).sum(1) / mask.sum(1).clamp(min=1)
            found |= zip(chosen, means.cpu().numpy().astype(np.float32), strict=True)
        return np.stack([found[i] for i in range(len(texts))])


def _load(name: str, revision: str | None, download: bool) -> tuple[Any, Any, int]:
    """Return tokenizer, model, and the tokens that fit into it."""
    folder = Path(name)
    if not folder.is_dir():
        if folder.is_absolute() or name.startswith(".") or name.count("/") > 1:
            raise BadModel(f"no folder {name}: give --encoder a folder with a model, or a name on the hub")
        if not revision:
            raise BadModel(f"{name} is a name on the hub: pin its commit with --revision, or give a folder")
    hub.quiet()
    away = hub.unreachable() if download and not folder.is_dir() else None
    local = not download or away is not None
    # Without an answer, transformers would ask on the terminal whether to execute a model's code.
    pinned: dict[str, Any] = {"local_files_only": local, "trust_remote_code": False}
    pinned |= {"revision": revision} if revision else {}
    try:
        config, _ = PretrainedConfig.get_config_dict(name, **pinned)
        hub.check_sizes(name, config)
        tokenizer = AutoTokenizer.from_pretrained(name, **pinned)
        model, report = AutoModel.from_pretrained(name, dtype=torch.float32, output_loading_info=True, **pinned)
        longest = _longest(tokenizer, model)
    except (ReplicateError, MemoryError):
        raise
    except Exception as error:  # a damaged model can raise any
        reason = away or hub.reason(error, folder)
        what = "is not a folder with a sentence encoder" if folder.is_dir() else "is not on this machine"
        if download:
            what = "cannot be fetched from the hub"
        raise BadModel(
            f"{name} {what} ({reason}): give --encoder a folder with config.json, model.safetensors and the files of "
            "the tokenizer, or fetch it with --download"
        ) from error
    # Some models have a pooling layer that is not used here.
    missing = sorted(key for key in report["missing_keys"] if not key.startswith("pooler."))
    if missing:
        raise BadModel(f"{name} lacks parameters ({missing[0]} and {len(missing) - 1} more): fetch it again")
    return tokenizer, model.eval(), longest


def _longest(tokenizer: Any, model: Any) -> int:
    """Return the number of tokens that fit into the model; some models count positions from the padding token."""
    positions = getattr(model.config, "max_position_embeddings", _LONGEST)
    if model.config.model_type in ("roberta", "xlm-roberta", "camembert", "mpnet"):
        positions -= model.config.pad_token_id + 1
    return int(min(positions, tokenizer.model_max_length, _LONGEST))
