"""Folders of encoders of speech and text whose settings are fuzzed: of the model and of what makes its input."""

from __future__ import annotations

import json
import tempfile
from functools import cache
from pathlib import Path

from replicate.errors import ReplicateError
from tests.fuzz import mutations
from tests.fuzz.harness import Reader, register

CONFIG, PREPROCESSOR = "config.json", "preprocessor_config.json"


@cache
def _models() -> dict[str, Path]:
    """Small models of every kind of input, by the type in their settings."""
    from tests.recordings import save_speech_encoder, save_w2v_bert, save_whisper

    root = Path(tempfile.mkdtemp(prefix="replicate-fuzz-encoders-"))
    found = {kind: save_speech_encoder(root / kind, kind) for kind in ("hubert", "wavlm", "data2vec-audio")}
    return found | {"whisper": save_whisper(root / "whisper"), "wav2vec2-bert": save_w2v_bert(root / "bert")}


@register("encoders")
def encoders() -> Reader:
    """Settings of speech encoders: the model is loaded, and its features of two short signals are computed."""
    from replicate.features.encoder import Choice, Encoder
    from tests.recordings import tone

    models, signals = _models(), [tone(0.3), tone(0.2)]

    def seeds() -> list[bytes]:
        return [
            json.dumps([kind, *(json.loads((path / name).read_text()) for name in (CONFIG, PREPROCESSOR))]).encode()
            for kind, path in models.items()
        ]

    def read(path: Path) -> None:
        folder = Path(tempfile.mkdtemp(dir=path.parent))
        try:
            kind, *settings = json.loads(path.read_bytes())
            source = models[kind]
        except (ValueError, TypeError, KeyError, RecursionError):
            source, settings = models["hubert"], []
        (folder / "model.safetensors").symlink_to(source / "model.safetensors")
        for i, name in enumerate((CONFIG, PREPROCESSOR)):
            content = json.dumps(settings[i]).encode() if i < len(settings) else path.read_bytes()
            (folder / name).write_bytes(content)
        Encoder(Choice(str(folder), "weighted", chunk_seconds=10), "cpu")(signals)

    return Reader("encoders", seeds, read, mutations.of_json, (ReplicateError,), ".json")


@register("sentence-encoders")
def sentence_encoders() -> Reader:
    """Settings of sentence encoders: the model is loaded, and its features of two texts are computed."""
    from replicate.features.sentences import SentenceEncoder
    from tests.recordings import save_encoder

    model = save_encoder(Path(tempfile.mkdtemp(prefix="replicate-fuzz-sentences-")) / "model")
    names = (CONFIG, "tokenizer_config.json")

    def seeds() -> list[bytes]:
        return [json.dumps([json.loads((model / name).read_text()) for name in names]).encode()]

    def read(path: Path) -> None:
        folder = Path(tempfile.mkdtemp(dir=path.parent))
        for file in model.iterdir():
            (folder / file.name).symlink_to(file)
        try:
            settings = [json.dumps(each).encode() for each in json.loads(path.read_bytes())]
        except (ValueError, TypeError, RecursionError):
            settings = []
        for name, content in zip(names, [*settings, path.read_bytes(), path.read_bytes()], strict=False):
            (folder / name).unlink()
            (folder / name).write_bytes(content)
        SentenceEncoder(str(folder), device="cpu")(["good morning", "no that is not it"])

    return Reader("sentence-encoders", seeds, read, mutations.of_json, (ReplicateError,), ".json")
