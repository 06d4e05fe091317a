"""Trackers write through their libraries, and the libraries read the same back."""

from __future__ import annotations

import os
import sys
from dataclasses import replace

import pytest

from replicate.errors import MissingExtra
from replicate.report.trackers import EXPERIMENT, open_trackers
from replicate.report.tracking import TrackedRun, Tracking
from replicate.store.store import Store
from tests import planted
from tests.hostile import NAME
from tests.small_runs import SPEC, seeds, small_corpus


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "runs")


@pytest.fixture(autouse=True)
def local(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def hostile(corpus):
    """A corpus of which name and labels are anything."""
    return replace(corpus, name=NAME[:100], labels=("no", NAME[:100]))


@pytest.mark.slow
def test_mlflow_reads_back_what_was_written(store, tmp_path):
    mlflow = pytest.importorskip("mlflow", reason="needs the extra [tracking]")
    pytest.importorskip("sqlalchemy", reason="needs the extra [tracking]")
    keys = [planted.put(store, spec, hostile(small_corpus()), {"test": 1}) for spec in seeds(24, 25)]
    for _ in range(2):  # the second time all runs are known
        tracking = Tracking(open_trackers(["mlflow"], tmp_path / "out"), store)
        tracking.write(keys)
        tracking.require_complete()
    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{tmp_path}/out/mlruns/mlflow.db")
    runs = client.search_runs([client.get_experiment_by_name(EXPERIMENT).experiment_id])
    assert sorted(run.data.tags["key"] for run in runs) == sorted(keys)
    run = next(run for run in runs if run.data.tags["key"] == keys[0])
    made = TrackedRun.of(store.get(keys[0]))
    assert (run.info.run_name, run.info.status) == (made.name, "FINISHED")
    assert run.data.params == made.settings and made.tags.items() <= run.data.tags.items()
    history = client.get_metric_history(run.info.run_id, "dev/f1")
    assert [(each.step, each.value) for each in history] == [(1, 0.25), (2, 0.875), (3, 0.5)]
    assert {name: run.data.metrics[name] for name in made.scores} == made.scores
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "runs"]


@pytest.mark.slow
def test_mlflow_writes_where_the_environment_says(store, tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow", reason="needs the extra [tracking]")
    pytest.importorskip("sqlalchemy", reason="needs the extra [tracking]")
    uri = f"sqlite:///{tmp_path / 'own.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    client = mlflow.MlflowClient(tracking_uri=uri)
    experiment = client.create_experiment(EXPERIMENT)
    tracking = Tracking(open_trackers(["mlflow"], tmp_path / "out"), store)
    tracking.write([planted.put(store, SPEC, small_corpus())])
    tracking.require_complete()
    assert len(client.search_runs([experiment])) == 1 and not (tmp_path / "out").exists()


@pytest.mark.parametrize("of", [lambda corpus: corpus, hostile])
def test_tensorboard_reads_back_what_was_written(store, tmp_path, of):
    pytest.importorskip("tensorboard", reason="needs the extra [tracking]")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    keys = [planted.put(store, spec, of(small_corpus()), {"test": 1}) for spec in seeds(24, 25)]
    for _ in range(2):
        tracking = Tracking(open_trackers(["tensorboard"], tmp_path / "out"), store)
        tracking.write(keys)
        tracking.require_complete()
    folders = sorted({path.parent for path in (tmp_path / "out" / "tensorboard").rglob("events.*")})
    assert [folder.relative_to(tmp_path / "out").parts[:3] for folder in folders] == [
        ("tensorboard", "speech", "24"),
        ("tensorboard", "speech", "25"),
    ]
    assert folders[0].name.endswith(f"-{keys[0][:8]}")
    made = TrackedRun.of(store.get(keys[0]))
    found = EventAccumulator(str(folders[0])).Reload()
    assert [(each.step, each.value) for each in found.Scalars("dev/f1")] == [(1, 0.25), (2, 0.875), (3, 0.5)]
    assert {name: found.Scalars(name)[-1].value for name in made.scores} == pytest.approx(made.scores)
    content = found.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    settings = HParamsPluginData.FromString(content).session_start_info.hparams
    assert {name: settings[name].string_value for name in made.settings} == made.settings
    assert settings["tag.corpus_hash"].string_value == made.tags["corpus_hash"]


@pytest.mark.parametrize(("name", "module"), [("mlflow", "mlflow"), ("tensorboard", "torch.utils.tensorboard.writer")])
def test_a_library_that_is_not_installed_is_named(name, module, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtra, match=rf"--track {name} needs .*pip install -e '\.\[tracking\]'"):
        open_trackers([name], tmp_path)
    assert not list(tmp_path.iterdir())


def test_nothing_is_imported_without_a_tracker(tmp_path):
    assert open_trackers([], tmp_path) == []
