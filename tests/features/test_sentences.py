from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoTokenizer, BertConfig

from replicate.errors import BadModel, TooLittleMemory
from replicate.features.sentences import SentenceEncoder


def test_vectors_are_means_over_tokens_and_batch_mates_do_not_matter(encoder: Path) -> None:
    texts = ["good morning", "no", "that is not it", ""]
    found = SentenceEncoder(str(encoder), device="cpu")(texts)
    tokenizer, model = AutoTokenizer.from_pretrained(encoder), AutoModel.from_pretrained(encoder).eval()
    for text, vector in zip(texts, found, strict=True):
        with torch.inference_mode():
            expected = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].mean(0)
        np.testing.assert_allclose(vector, expected.numpy(), atol=1e-6)
    assert (found.dtype, found.shape) == (np.float32, (4, 8))


def test_long_texts_are_cut_and_counted(encoder: Path) -> None:
    made = SentenceEncoder(str(encoder), device="cpu")
    one, other, _ = made(["no that is not it", "no that is not good", "good"])
    assert made.truncated == 2
    np.testing.assert_allclose(one, other, atol=1e-6)  # their first four words are the same
    assert made.recipe["longest"] == 6 and made.recipe["model"] == str(encoder.resolve())


def test_a_name_on_the_hub_needs_a_commit_and_nothing_is_fetched_unasked() -> None:
    with pytest.raises(BadModel, match="pin its commit with --revision"):
        SentenceEncoder("someone/encoder")
    with pytest.raises(BadModel, match=r"is not on this machine .*--download"):
        SentenceEncoder("someone/encoder", revision="0" * 40)
    with pytest.raises(BadModel, match="no folder /absent"):
        SentenceEncoder("/absent")


def test_folders_without_an_encoder_are_refused(encoder: Path, tmp_path: Path) -> None:
    with pytest.raises(BadModel, match="is not a folder with a sentence encoder"):
        SentenceEncoder(str(tmp_path))
    path = Path(shutil.copytree(encoder, tmp_path / "copy"))
    config = BertConfig.from_pretrained(path)
    config.num_hidden_layers = 3
    config.save_pretrained(path)
    with pytest.raises(BadModel, match="lacks parameters"):
        SentenceEncoder(str(path))
    config.num_hidden_layers = 10**9
    config.save_pretrained(path)
    with pytest.raises(BadModel, match="has num_hidden_layers = 1000000000, more than 200"):
        SentenceEncoder(str(path))


def test_code_next_to_an_encoder_is_not_executed_and_no_question_is_asked(
    encoder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = Path(shutil.copytree(encoder, tmp_path / "copy"))
    remote = {"AutoConfig": "evil.EvilConfig", "AutoModel": "evil.Evil"}
    (path / "config.json").write_text(json.dumps({"model_type": "evil", "auto_map": remote}))
    (path / "evil.py").write_text("raise SystemExit(7)\n")
    with pytest.raises(BadModel, match="is not a folder with a sentence encoder"):
        SentenceEncoder(str(path))
    assert capsys.readouterr().out == ""


def test_settings_that_do_not_fit_are_one_line(encoder: Path, tmp_path: Path) -> None:
    path = Path(shutil.copytree(encoder, tmp_path / "copy"))
    config = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps(config | {"max_position_embeddings": "many"}))
    with pytest.raises(BadModel, match="is not a folder with a sentence encoder"):
        SentenceEncoder(str(path))
    (path / "config.json").write_text(
        json.dumps(
            config
            | {
                "hidden_act": "silu",
                "type_vocab_size": 2,
                "pad_token_id": 0,
                "max_position_embeddings": 6,
                "chunk_size_feed_forward": 5,
            }
        )
    )
    with pytest.raises(BadModel, match="copy fails on texts"):
        SentenceEncoder(str(path))(["good morning"])


def test_too_little_memory_is_named(encoder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = SentenceEncoder(str(encoder))

    def fails(*_: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(model, "_vectors", fails)
    with pytest.raises(TooLittleMemory, match="too small for 32 texts at once"):
        model(["good morning"])
