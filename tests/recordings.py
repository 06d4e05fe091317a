"""Short generated recordings, and models of speech and text with a few thousand random parameters."""

from __future__ import annotations

import pickle
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray
from transformers import (
    AutoConfig,
    AutoModel,
    BertConfig,
    BertModel,
    BertTokenizerFast,
    SeamlessM4TFeatureExtractor,
    Wav2Vec2BertConfig,
    Wav2Vec2BertModel,
    Wav2Vec2FeatureExtractor,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperModel,
)

from replicate.features import iemocap
from replicate.features.source import Utterance


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
    """Write two dialogues of 3 and 2 utterances, and their CSV."""
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
    """Save a model of 3 layers with 25 ms frames every 20 ms, as in the published ones."""
    return save_speech_encoder(path, "hubert", norm)


def save_speech_encoder(path: Path, kind: str, norm: str = "layer", **changes: Any) -> Path:
    """Save a model of a type of the transformers library with 3 layers and random parameters."""
    torch.manual_seed(0)
    shape = {"hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 32}
    shape |= {"conv_dim": (8,) * 7, "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 2}
    shape |= {"initializer_range": 0.5}  # large, so that attention weights differ between frames
    if kind == "data2vec-audio":
        shape |= {"num_conv_pos_embeddings": 3, "conv_pos_kernel_size": 5}
    else:
        shape |= {"conv_bias": norm == "layer", "feat_extract_norm": norm, "do_stable_layer_norm": norm == "layer"}
    AutoModel.from_config(AutoConfig.for_model(kind, **(shape | changes))).save_pretrained(path)
    Wav2Vec2FeatureExtractor(do_normalize=True, return_attention_mask=norm == "layer").save_pretrained(path)
    return path


def save_w2v_bert(path: Path) -> Path:
    """Save a w2v-BERT of 3 layers with random parameters."""
    torch.manual_seed(0)
    shape = {"hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 32}
    config = Wav2Vec2BertConfig(**shape, conv_depthwise_kernel_size=5, initializer_range=0.5)
    Wav2Vec2BertModel(config).save_pretrained(path)
    SeamlessM4TFeatureExtractor().save_pretrained(path)
    return path


def save_whisper(path: Path, seconds: int = 10, bands: int = 80) -> Path:
    """Save a Whisper of 3 layers with random parameters, which takes windows of so many seconds."""
    torch.manual_seed(0)
    layers = {"encoder_layers": 3, "decoder_layers": 1, "encoder_attention_heads": 2, "decoder_attention_heads": 2}
    widths = {"d_model": 16, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32, "num_mel_bins": bands}
    tokens = {"vocab_size": 12, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1}
    positions = {"max_source_positions": 50 * seconds, "max_target_positions": 8}
    config = WhisperConfig(**layers, **widths, **tokens, **positions, init_std=0.5)
    WhisperModel(config).save_pretrained(path)
    WhisperFeatureExtractor(feature_size=bands, chunk_length=seconds).save_pretrained(path)
    return path


CODES = ("hap", "sad", "neu", "ang", "exc", "fru", "xxx")


def save_encoder(path: Path) -> Path:
    """Save a BERT of 2 layers with random parameters, which knows 7 words and takes 6 tokens."""
    path.mkdir()
    words = ["good", "morning", "no", "that", "is", "not", "it"]
    (path / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]))
    BertTokenizerFast(str(path / "vocab.txt")).save_pretrained(path)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=12,
        hidden_size=8,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=6,
    )
    BertModel(config, add_pooling_layer=False).save_pretrained(path)
    return path


def write_release(root: Path) -> Path:
    """Write the layout of the IEMOCAP release: 5 sessions of 4 dialogues, each with one utterance per code."""
    sound = write_wav(root / "sound.wav", tone(0.08)).read_bytes()
    for session in range(1, 6):
        for k in range(4):
            name = f"Ses0{session}{'FM'[k % 2]}_impro0{k}"
            lines = ["% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]", ""]
            for i, code in reversed(list(enumerate(CODES))):  # as in the release, not in order of time
                utterance = f"{name}_{'FM'[i % 2]}{i:03d}"
                lines += [
                    f"[{i}.5000 - {i}.9000]\t{utterance}\t{code}\t[2.5000, 2.5000, 2.5000]",
                    "C-E1:\tHappiness;\t()",
                    "",
                ]
                wav = root / f"Session{session}" / "sentences" / "wav" / name / f"{utterance}.wav"
                wav.parent.mkdir(parents=True, exist_ok=True)
                wav.write_bytes(sound)
            text = root / f"Session{session}" / "dialog" / "EmoEvaluation" / f"{name}.txt"
            text.parent.mkdir(parents=True, exist_ok=True)
            text.write_text("\n".join(lines))
            (text.parent / f"._{name}.txt").write_bytes(b"\x00\x05\x16\x07")
    return root


# The label decides how words are spoken: pitch and words per minute of espeak-ng, and pitch of the tone without it.
MANNERS = {
    **{"calm": (30, 130, 140.0), "excited": (90, 240, 330.0)},
    **{"hap": (80, 220, 300.0), "sad": (10, 110, 110.0), "neu": (45, 170, 180.0), "ang": (65, 260, 250.0)},
}
WORDS = ("yes I see what you mean", "no that is not the point", "we could try it tomorrow", "I do not know about that")


def speak(path: Path, manner: str, seed: int, words: str = "") -> float:
    """Write an utterance by espeak-ng if it is installed, and otherwise a tone; return its seconds."""
    pitch, speed, hertz = MANNERS[manner]
    path.parent.mkdir(parents=True, exist_ok=True)
    if shutil.which("espeak-ng"):
        voice = ["-p", str(pitch + seed % 7), "-s", str(speed + seed % 11), "-a", "150"]
        subprocess.run(["espeak-ng", *voice, "-w", str(path), words or WORDS[seed % len(WORDS)]], check=True)
    else:
        write_wav(path, tone(0.6 + 0.05 * (seed % 5), hertz=hertz + 3 * (seed % 13), seed=seed))
    return float(soundfile.info(path).duration)


def give_voices(release: Path) -> Path:
    """Replace the recordings of ``write_release`` by speech that depends on the labels."""
    for number, wav in enumerate(sorted(release.glob("Session*/sentences/wav/*/*.wav"))):
        code = CODES[int(wav.stem[-3:])]
        speak(wav, code if code in MANNERS else "neu", number, "oh really")
    return release


def write_published(release: Path, path: Path) -> Path:
    """Write random features of the release's 4 classes in the format of COGMEN: a tuple of 9 fields."""
    source, draws = iemocap.read(release, allow_other_counts=True), np.random.default_rng(0)
    dialogues: dict[str, list[Utterance]] = {}
    for one in source.utterances:
        dialogues.setdefault(one.dialogue, []).append(one)
    fields: list[dict[str, list[Any]]] = [
        {id_: [one.name for one in own] for id_, own in dialogues.items()},
        {id_: [one.speaker for one in own] for id_, own in dialogues.items()},
        {id_: [source.labels.index(one.label) for one in own] for id_, own in dialogues.items()},
    ]
    for width in (100, 100, 512):
        fields.append({id_: [draws.random(width, np.float32) for _ in own] for id_, own in dialogues.items()})
    fields.append({id_: ["words"] * len(own) for id_, own in dialogues.items()})
    splits = [[id_ for id_, own in dialogues.items() if (own[0].split == "test") == test] for test in (False, True)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps((*fields, *splits), 2))
    return path


def write_conversations(root: Path, dialogues: int = 10, utterances: int = 6) -> Path:
    """Write calls of an agent and a customer, a file per utterance, and a CSV with labels, splits and times."""
    lines = ["dialogue,utterance,speaker,label,split,start"]
    for i in range(dialogues):
        split = "test" if i % 5 == 4 else "dev" if i % 5 == 3 else "train"
        start = 0.0
        for j in range(utterances):
            name, manner = f"call{i}_{j}", ("calm", "excited")[(i + j // 2) % 2]
            seconds = speak(root / f"call{i}" / f"{name}.wav", manner, i * utterances + j)
            lines.append(f"call{i},{name},{('agent', 'customer')[j % 2]},{manner},{split},{start:.2f}")
            start += seconds + 0.3
    (root / "table.csv").write_text("\n".join(lines) + "\n")
    return root


def write_call(path: Path, segments: int = 8) -> Path:
    """Write one long recording, and next to it the RTTM of a diarisation tool."""
    pieces, lines, start = [], [], 0.0
    for j in range(segments):
        piece = path.with_name(f"piece{j}.wav")
        speak(piece, ("calm", "excited")[j // 3 % 2], 100 + j)
        samples, rate = soundfile.read(piece, dtype="float32")
        piece.unlink()
        pieces += [samples, np.zeros(rate // 2, np.float32)]
        seconds = len(samples) / rate
        lines.append(f"SPEAKER {path.stem} 1 {start:.3f} {seconds:.3f} <NA> <NA> SPEAKER_0{j % 2} <NA> <NA>")
        start += seconds + (rate // 2) / rate
    write_wav(path, np.concatenate(pieces), rate)
    path.with_suffix(".rttm").write_text("\n".join(lines) + "\n")
    return path
