"""Short recordings made on the spot, and HuBERT models of a few thousand random parameters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray
from transformers import HubertConfig, HubertModel, Wav2Vec2FeatureExtractor


def tone(seconds: float, rate: int = 16_000, hertz: float = 220.0, seed: int = 0) -> NDArray[np.float32]:
    """A tone in noise, (samples,)."""
    n = round(seconds * rate)
    noise = np.random.default_rng(seed).standard_normal(n)
    return (0.3 * np.sin(2 * np.pi * hertz * np.arange(n) / rate) + 0.02 * noise).astype(np.float32)


def write_wav(path: Path, samples: NDArray[Any], rate: int = 16_000, subtype: str | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate, subtype=subtype)
    return path


def write_folder(root: Path) -> Path:
    """Two dialogues of three and two utterances, and their table."""
    lines = ["dialogue,utterance,speaker,label,split"]
    for i, (dialogue, speaker, label, split) in enumerate(
        [("d1", "F", "sad", "train"), ("d1", "M", "happy", "train"), ("d1", "F", "sad", "train")]
        + [("d2", "M", "happy", "test"), ("d2", "F", "sad", "test")]
    ):
        write_wav(root / dialogue / f"u{i}.wav", tone(0.2 + 0.05 * i, hertz=150 + 40 * i, seed=i))
        lines.append(f"{dialogue},u{i},{speaker},{label},{split}")
    (root / "table.csv").write_text("\n".join(lines) + "\n")
    return root


def save_hubert(path: Path, norm: str) -> Path:
    """A model of three layers with 25 ms frames every 20 ms, as the published ones have."""
    torch.manual_seed(0)
    config = HubertConfig(
        hidden_size=16,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=32,
        conv_dim=(8,) * 7,
        conv_bias=norm == "layer",
        feat_extract_norm=norm,
        do_stable_layer_norm=norm == "layer",
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=2,
        initializer_range=0.5,  # so that attention attends to some frames more than to others
    )
    HubertModel(config).save_pretrained(path)
    Wav2Vec2FeatureExtractor(do_normalize=True, return_attention_mask=norm == "layer").save_pretrained(path)
    return path


CODES = ("hap", "sad", "neu", "ang", "exc", "fru", "xxx")


def write_release(root: Path) -> Path:
    """The layout of the IEMOCAP release: five sessions of four dialogues, in each one utterance of every code."""
    sound = write_wav(root / "sound.wav", tone(0.08)).read_bytes()
    for session in range(1, 6):
        for k in range(4):
            name = f"Ses0{session}{'FM'[k % 2]}_impro0{k}"
            lines = ["% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]", ""]
            for i, code in reversed(list(enumerate(CODES))):  # as in the release, not in order of time
                turn = f"{name}_{'FM'[i % 2]}{i:03d}"
                lines += [
                    f"[{i}.5000 - {i}.9000]\t{turn}\t{code}\t[2.5000, 2.5000, 2.5000]",
                    "C-E1:\tHappiness;\t()",
                    "",
                ]
                wav = root / f"Session{session}" / "sentences" / "wav" / name / f"{turn}.wav"
                wav.parent.mkdir(parents=True, exist_ok=True)
                wav.write_bytes(sound)
            text = root / f"Session{session}" / "dialog" / "EmoEvaluation" / f"{name}.txt"
            text.parent.mkdir(parents=True, exist_ok=True)
            text.write_text("\n".join(lines))
            (text.parent / f"._{name}.txt").write_bytes(b"\x00\x05\x16\x07")
    return root
