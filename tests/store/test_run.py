"""A saved run gives the model, the predictions and the labels of its training."""

from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from replicate.corpus.types import SPLITS
from replicate.errors import CorruptRun
from replicate.store.record import CHECKPOINT, PREDICTIONS, RECORD, CorpusRecord
from replicate.training.config import Hubert
from replicate.training.data import scales, tensors
from replicate.training.inference import predict
from replicate.training.loop import train
from replicate.training.metrics import weighted_f1
from replicate.training.released_order import apply_feature_order
from tests.small_runs import SPEC


def test_a_run_is_read_as_it_was_written(store, saved, corpus, result):
    run = store.get(saved.name)
    assert {path.name for path in saved.iterdir()} == {CHECKPOINT, PREDICTIONS, RECORD}
    for split in SPLITS:
        assert np.array_equal(run.log_prob(split, "A"), result.log_prob[split, "A"])
        assert run.labels(split).tolist() == np.concatenate([d.labels for d in corpus.split(split)]).tolist()
    record = run.record
    assert (record.best_epoch, record.seed, record.device) == (result.best_epoch, 24, "cpu")
    assert list(map(asdict, record.curve)) == list(map(asdict, result.curve)) and record.model == result.model
    assert asdict(record.budget) == asdict(SPEC.budget)
    assert record.corpus == CorpusRecord("small", corpus.hash, ("no", "yes"), {}, corpus.speakers)
    assert record.streams == ("audio",) and record.versions["torch"] == torch.__version__


def test_the_saved_model_gives_the_saved_predictions(store, saved, corpus):
    run = store.get(saved.name)
    assert {name: asdict(s)["mean"].tolist() for name, s in run.scaling().items()} == {
        name: s.mean.tolist() for name, s in scales(corpus, ("audio",)).items()
    }
    for split in SPLITS:
        data = tensors(corpus, split, run.scaling())
        ours = predict(run.model(), data, SPEC.arm, "A", corpus, SPEC.budget.batch).numpy()
        assert np.allclose(ours, run.log_prob(split, "A"), rtol=0, atol=1e-6)


def test_predictions_are_saved_with_the_labels_that_training_used(store, corpus):
    """In the order of the release labels move; the saved ones are those that training used."""
    rng = np.random.default_rng(0)
    with_hubert = tuple(
        replace(d, features=d.features | {"hubert": rng.standard_normal((len(d), 2)).astype(np.float32)})
        for d in corpus.dialogues
    )
    source = replace(corpus, dialogues=with_hubert)
    protocol = replace(SPEC.protocol, hubert=Hubert(order="release"))
    spec = replace(SPEC, arm=replace(SPEC.arm, audio="hubert"), protocol=protocol)
    result = train(spec, source)
    store.put("run", spec, source, "cpu", result)
    run = store.get("run")
    moved = apply_feature_order(source, spec.arm, protocol)
    assert [d.labels.tolist() for d in moved.dialogues] != [d.labels.tolist() for d in source.dialogues]
    for split in SPLITS:
        assert run.labels(split).tolist() == np.concatenate([d.labels for d in moved.split(split)]).tolist()
    best = result.curve[result.best_epoch - 1]
    assert weighted_f1(run.labels("dev"), run.log_prob("dev", "A")) == best.dev_f1


@pytest.mark.parametrize("size", [0, 3, 200, -30])
def test_truncated_predictions_are_a_damaged_run(store, saved, size):
    run = store.get(saved.name)
    path = saved / PREDICTIONS
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(CorruptRun, match=PREDICTIONS):
        run.labels("test")


@pytest.mark.parametrize("name", ["a\nb", "\x1b[31m", "a" * 100_000])
def test_hostile_names_of_weights_become_one_short_line(store, saved, name):
    """A message quotes names in the file; safetensors quotes unknown types of values in full."""
    run = store.get(saved.name)
    save_file({name: torch.zeros(2)}, saved / CHECKPOINT)
    with pytest.raises(CorruptRun, match=CHECKPOINT) as error:
        run.model()
    assert str(error.value).isprintable() and len(str(error.value)) < 600 + len(str(saved))
    assert str(error.value).endswith("--repair trains it again")
