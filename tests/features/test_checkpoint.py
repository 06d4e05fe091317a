from __future__ import annotations

import json
import shutil
import socket
import time
from pathlib import Path

import huggingface_hub.constants
import pytest
import torch
from transformers import HubertConfig, HubertModel

from replicate.errors import BadModel
from replicate.features import checkpoint
from replicate.features.encoder_input import Frames


def copied(path: Path, to: Path) -> Path:
    return Path(shutil.copytree(path, to / "model"))


@pytest.mark.parametrize("samples", [399, 400, 719, 720, 16_000, 16_079, 16_080])
def test_frames_are_counted_as_by_the_model(samples: int, hubert_layer: Path) -> None:
    config = HubertConfig.from_pretrained(hubert_layer)
    assert Frames.of(config) == (320, 400)
    if samples >= 400:
        counted = HubertModel(config)._get_feat_extract_output_lengths(torch.tensor([samples]))
        assert Frames.of(config).count(samples) == int(counted)
    else:
        assert Frames.of(config).count(samples) == 0


def test_folders_without_a_model(hubert_layer: Path, tmp_path: Path) -> None:
    with pytest.raises(BadModel, match="no folder"):
        checkpoint.load(str(tmp_path / "absent"))
    with pytest.raises(BadModel, match="is not a folder with a speech encoder"):
        checkpoint.load(str(tmp_path))
    path = copied(hubert_layer, tmp_path)
    weights = path / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadModel, match="is not a folder with a speech encoder"):
        checkpoint.load(str(path))
    weights.unlink()
    with pytest.raises(BadModel, match=r"model\.safetensors"):
        checkpoint.load(str(path))
    weights.write_bytes(whole)
    (path / "preprocessor_config.json").unlink()
    with pytest.raises(BadModel, match=r"preprocessor_config\.json"):
        checkpoint.load(str(path))
    (path / "config.json").write_text("{")
    with pytest.raises(BadModel):
        checkpoint.load(str(path))


@pytest.mark.parametrize("kind", ["bert", "speecht5", "evil\nname" + "x" * 99, None, 7, ["hubert"]])
def test_a_model_that_is_no_speech_encoder_is_refused(kind: object, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": kind, "auto_map": {"AutoModel": "evil.Evil"}}))
    (tmp_path / "evil.py").write_text("raise SystemExit(7)\n")
    with pytest.raises(BadModel, match=r"not a speech encoder: choose one of type data2vec-audio, hubert, .*, whisper"):
        checkpoint.load(str(tmp_path))


@pytest.mark.parametrize(
    ("file", "key"), [("config.json", "num_hidden_layers"), ("preprocessor_config.json", "feature_size")]
)
def test_sizes_are_bounded_before_anything_is_made(file: str, key: str, hubert_layer: Path, tmp_path: Path) -> None:
    path = copied(hubert_layer, tmp_path)
    for value in (2**40, 1e300):
        (path / file).write_text(json.dumps(json.loads((path / file).read_text()) | {key: value}))
        with pytest.raises(BadModel, match=rf"has {key} = [\de+]+, more than \d+: fetch it again"):
            checkpoint.load(str(path))


@pytest.mark.parametrize("strides", [[0] * 7, [5, 2, 2, 2, 2, 2, -2], [5], "5"])
def test_impossible_strides_are_refused(strides: object, hubert_layer: Path, tmp_path: Path) -> None:
    path = copied(hubert_layer, tmp_path)
    config = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps(config | {"conv_stride": strides}))
    with pytest.raises(BadModel, match="is not a folder with a speech encoder"):
        checkpoint.load(str(path))


def test_code_next_to_a_model_is_not_executed(hubert_layer: Path, tmp_path: Path) -> None:
    path = copied(hubert_layer, tmp_path)
    config = json.loads((path / "config.json").read_text())
    remote = {"AutoConfig": "evil.EvilConfig", "AutoModel": "evil.Evil"}
    (path / "config.json").write_text(json.dumps(config | {"auto_map": remote}))
    (path / "evil.py").write_text("raise SystemExit(7)\n")
    assert checkpoint.load(str(path)).type == "hubert"


def test_a_model_with_missing_parameters_is_refused(hubert_layer: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    path = copied(hubert_layer, tmp_path)
    values = load_file(path / "model.safetensors")
    del values["encoder.layers.1.attention.k_proj.weight"]
    save_file(values, path / "model.safetensors", {"format": "pt"})
    with pytest.raises(BadModel, match=r"lacks parameters \(encoder\.layers\.1\.attention\.k_proj\.weight and 0 more"):
        checkpoint.load(str(path))


def test_published_models_with_old_names_of_parameters_are_loaded(hubert_layer: Path, tmp_path: Path) -> None:
    """Models on the hub are from 2021: pickles with a head for letters and older names of parameters."""
    from safetensors.torch import load_file

    path = copied(hubert_layer, tmp_path)
    older = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}
    values = {}
    for name, value in load_file(path / "model.safetensors").items():
        for new, old in older.items():
            name = name.replace(new, old)
        values[f"hubert.{name}"] = value
    assert any(name.endswith("weight_g") for name in values)
    values |= {"lm_head.weight": torch.ones(32, 16), "lm_head.bias": torch.zeros(32)}
    (path / "model.safetensors").unlink()
    torch.save(values, path / "pytorch_model.bin")
    found, wanted = checkpoint.load(str(path)), checkpoint.load(str(hubert_layer))
    assert checkpoint.fingerprint(found.model) == checkpoint.fingerprint(wanted.model)


def test_a_pickle_in_the_folder_is_not_executed(hubert_layer: Path, tmp_path: Path) -> None:
    path = copied(hubert_layer, tmp_path)
    (path / "model.safetensors").unlink()
    torch.save({"x": Evil(tmp_path / "touched")}, path / "pytorch_model.bin")
    with pytest.raises(BadModel, match="is not a folder with a speech encoder"):
        checkpoint.load(str(path))
    assert not (tmp_path / "touched").exists()


class Evil:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.path,))


def test_a_pointer_in_place_of_the_weights_is_named(hubert_layer: Path, tmp_path: Path) -> None:
    path = copied(hubert_layer, tmp_path)
    (path / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 7\n")
    with pytest.raises(BadModel, match=r"model\.safetensors is a pointer of Git LFS, .* git lfs pull"):
        checkpoint.load(str(path))


@pytest.mark.parametrize("variable", ["endpoint", "https_proxy"])
def test_a_hub_or_proxy_that_does_not_answer_is_asked_once(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{closed.getsockname()[1]}"
    if variable == "endpoint":
        monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", f"http://{place}")
    else:
        monkeypatch.setenv(variable, f"http://{place}")
    begin = time.monotonic()
    with pytest.raises(BadModel, match=r"127\.0\.0\.1, which \S+ needs, cannot be reached: Connection refused"):
        checkpoint.load("some-one/some-hubert")
    assert time.monotonic() - begin < 5


def test_the_hub_without_a_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(
        BadModel, match=r"some-one/some-hubert cannot be fetched from the hub .* a machine with network"
    ) as caught:
        checkpoint.load("some-one/some-hubert")
    assert "\n" not in str(caught.value)
