import numpy as np
import pytest
import torch

from export.onnx.deployed_model import SpeechModel
from replicate.corpus.synthetic import generate
from replicate.training.data import Scale


@pytest.mark.parametrize("arm", ["COGMEN-A", "COGMEN-AV", "COGMEN-Mask", "Student-of-Mask", "COGMEN-Mask-deep"])
@pytest.mark.parametrize("form", ["reference", "banded"])
def test_it_computes_the_predictions_of_the_run(runs, arm, form):
    run, corpus = runs[arm], generate("synthetic-tiny")
    model = SpeechModel(run.model(), run.scaling(), form)
    with torch.no_grad():
        ours = [
            model(
                torch.from_numpy(d.features["audio"][None]), torch.from_numpy(d.speakers[None]), torch.tensor([len(d)])
            )
            for d in corpus.split("test")
        ]
    assert np.allclose(torch.cat([p[0] for p in ours]).log(), run.log_prob("test", "A"), atol=1e-5)


def test_the_other_dialogues_and_the_padding_have_no_effect(runs):
    run = runs["COGMEN-Mask"]
    model = SpeechModel(run.model(), run.scaling())
    audio, speaker = torch.randn(3, 9, 12), torch.randint(2, (3, 9))
    lengths = torch.tensor([9, 1, 4])
    with torch.no_grad():
        batch = model(audio, speaker, lengths)
        for i, n in enumerate(lengths.tolist()):
            alone = model(audio[i : i + 1, :n], speaker[i : i + 1, :n], lengths[i : i + 1])[0]
            assert torch.allclose(batch[i, :n], alone, atol=1e-6)
            assert (batch[i, n:] == 0).all()
            assert torch.allclose(alone.sum(-1), torch.ones(n))


def test_features_are_standardised(runs):
    run = runs["COGMEN-A"]
    plain = SpeechModel(run.model(), run.scaling())
    mean, deviation = np.linspace(-3, 3, 12, dtype=np.float32), np.linspace(0.5, 4, 12, dtype=np.float32)
    scaled = SpeechModel(run.model(), {"audio": Scale(mean, deviation)})
    audio, speaker, length = torch.randn(1, 5, 12), torch.zeros(1, 5, dtype=torch.int64), torch.tensor([5])
    with torch.no_grad():
        expected = plain(audio, speaker, length)
        found = scaled(audio * torch.from_numpy(deviation) + torch.from_numpy(mean), speaker, length)
    assert torch.allclose(expected, found, atol=1e-5)
