import re
import shutil
import socket
from types import SimpleNamespace

import pytest
import yaml
from huggingface_hub import ModelCard, ModelCardData
from hypothesis import given
from hypothesis import strategies as st

from export.bundle import hub_metadata, model_card
from export.bundle.select import choose
from export.onnx import save
from export.predictor import Predictor
from replicate.corpus import named_corpora
from replicate.corpus.synthetic import generate
from replicate.results.statistics import Summary
from tests.hostile import TEXT


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    def refused(*_):
        raise AssertionError("nothing may be sent or fetched")

    monkeypatch.setattr(socket.socket, "connect", refused)


def test_the_readme_of_a_bundle_is_a_card_of_the_hub(smoke_bundle, smoke_results):
    card = ModelCard.load(smoke_bundle.folder / "README.md")
    data, choice = card.data.to_dict(), choose(smoke_results)
    assert (data["license"], data["library_name"], data["pipeline_tag"]) == ("apache-2.0", "onnx", hub_metadata.TASK)
    assert data["tags"] == [
        "speech-emotion-recognition", "onnx", "onnxruntime", "generated-features", "arxiv:2401.03000"
    ]  # fmt: skip
    assert "language" not in data and "datasets" not in data  # nobody speaks in a generated corpus
    mine, arm = card.data.eval_results
    scores = model_card._scores(choice, generate("synthetic-tiny"), smoke_bundle.folder / "model.onnx")
    assert mine.metric_value == pytest.approx(scores.f1, abs=5e-4) and mine.metric_value != arm.metric_value
    assert arm.metric_value == pytest.approx(scores.arm.mean, abs=5e-4) and "mean over 2 seeds" in arm.metric_name
    assert (mine.dataset_name, mine.dataset_split, mine.metric_args) == (
        ("synthetic-tiny", "test", {"average": "weighted"})
    )
    assert f"| weighted, this file | {mine.metric_value:.3f} |" in card.text
    again = ModelCardData(**yaml.safe_load(card.data.to_yaml()))
    assert again.to_dict() == data and again.eval_results == card.data.eval_results
    assert card.text.lstrip().startswith("# ")


def test_causal_models_have_the_tag_of_streams(causal_bundle):
    assert "streaming" in ModelCard.load(causal_bundle.folder / "README.md").data.tags


def test_a_bundle_with_what_the_hub_adds_to_a_folder_is_still_one(smoke_bundle, tmp_path):
    folder = shutil.copytree(smoke_bundle.folder, tmp_path / "downloaded")
    (folder / ".gitattributes").write_text("*.onnx filter=lfs diff=lfs merge=lfs -text\n")
    (folder / ".cache" / "huggingface").mkdir(parents=True)
    (folder / ".cache" / "huggingface" / "README.md.metadata").write_text("x")
    assert Predictor(folder).labels


def metadata(monkeypatch, name: str, arm: str = "COGMEN-A") -> ModelCardData:
    monkeypatch.setattr(save, "streams", lambda run: False)
    run = SimpleNamespace(record=SimpleNamespace(arm=SimpleNamespace(name=arm), seed=7))
    text = hub_metadata.front_matter(
        run, SimpleNamespace(name=name), 0.51234, Summary(0.5, None, 1, None), named_corpora().get(name)
    )
    assert text.isascii() or all(character.isprintable() or character == "\n" for character in text)
    assert not re.search(r"[<>*`|\\]", text) and text.count("\n---\n") == 1
    return ModelCard(f"{text}\n# card\n").data


@pytest.mark.parametrize(
    ("corpus", "dataset", "language", "licence"),
    [
        ("iemocap4", "iemocap", "en", "apache-2.0"),
        ("ravdess4", "ravdess", "en", "cc-by-nc-sa-4.0"),
        ("mine", "", "", "apache-2.0"),
    ],
)
def test_languages_data_sets_and_licences_are_those_of_known_corpora(corpus, dataset, language, licence, monkeypatch):
    data = metadata(monkeypatch, corpus)
    assert (data.language or "", data.datasets or [], data.license) == (language, [dataset] if dataset else [], licence)
    assert data.eval_results[0].dataset_type == (dataset or "mine")
    assert (data.eval_results[0].metric_value, data.eval_results[1].metric_name) == (
        (0.512, "weighted F1 of its arm, mean over one seed")
    )


HOSTILE = (
    TEXT, "x\n---\nlicense: evil\n", "a: b", "- a", "{a: b}", "&a *a", "!!python/object/apply:os.system [id]", "%YAML",
    "null", "---", "", "\u202e\u2066", "\x00\x1b[2J", "'", '"', "# x", "~", "1e3", "漢字 快乐", "x" * 5000,
)  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_names_of_a_corpus_add_no_field_and_break_nothing(text, monkeypatch):
    found, plain = (metadata(monkeypatch, one, one) for one in (text, "mine"))
    assert set(found.to_dict()) == set(plain.to_dict()) and found.license == "apache-2.0"
    assert found.model_name.endswith(", seed 7")
    assert len(found.eval_results) == 2 and len(found.to_yaml()) < 2000
    if text == "漢字 快乐":
        assert found.eval_results[0].dataset_name == text


@given(st.text())
def test_names_are_plain(text):
    assert hub_metadata.plain(text).isprintable() and 1 <= len(hub_metadata.plain(text)) <= 100
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", hub_metadata.slug(text))
    assert yaml.safe_load(yaml.safe_dump({"name": hub_metadata.plain(text)})) == {"name": hub_metadata.plain(text)}
