"""Trackers of experiments, through their own libraries, which are imported only here: MLflow and TensorBoard.

Both write local files below ``--out`` unless the user's environment names a server of MLflow.
"""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from replicate.errors import MissingExtra
from replicate.files import atomic_folder, cut_name
from replicate.report.tracking import TrackedRun, Tracker
from replicate.store.run import Run

EXPERIMENT = "bridging-modalities"
# How much MLflow takes in one call.
_MOST_METRICS, _MOST_SETTINGS = 1_000, 100
T = TypeVar("T")


def open_trackers(names: Sequence[str], out: Path) -> list[Tracker]:
    """Return trackers by name, "mlflow" or "tensorboard".

    Args:
        out: folder of all outputs; trackers write into ``mlruns`` and ``tensorboard`` in it.

    Raises:
        MissingExtra: the library of one is not installed.
    """
    kinds: dict[str, Callable[[Path], Tracker]] = {"mlflow": MLflow, "tensorboard": TensorBoard}
    found: list[Tracker] = []
    for name in dict.fromkeys(names):
        try:
            found.append(kinds[name](out))
        except ImportError as error:
            raise MissingExtra(
                f"--track {name} needs {error.name or name}, which is not installed: run "
                "`pip install -e '.[tracking]'` in a checkout"
            ) from error
    return found


class MLflow:
    """MLflow's runs: in SQLite in ``mlruns``, or where ``MLFLOW_TRACKING_URI`` says.

    Not in plain files, which MLflow no longer maintains. Its reports of usage are off unless the environment says
    otherwise, because they need the network.
    """

    def __init__(self, out: Path) -> None:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        import alembic  # noqa: F401  (of SQLite's store; the client alone would fail later)
        import mlflow.entities
        import sqlalchemy  # noqa: F401
        from mlflow.tracking import MlflowClient

        for name in ("alembic", "mlflow"):  # that SQLite's tables are made is no news
            logging.getLogger(name).setLevel(logging.WARNING)
        self._entities = mlflow.entities
        given = os.environ.get("MLFLOW_TRACKING_URI")
        folder = (out / "mlruns").absolute()
        if not given:
            folder.mkdir(parents=True, exist_ok=True)
        self.place = given or f"sqlite:///{folder / 'mlflow.db'}"
        self._artifacts = None if given else (folder / "artifacts").as_uri()
        self._new_client = MlflowClient
        self._made: tuple[Any, str] | None = None

    def has(self, run: Run) -> bool:
        """Return whether MLflow has the whole run, by its key."""
        client, experiment = self._client()
        query = f"tags.key = '{run.record.key}' and attributes.status = 'FINISHED'"
        return bool(client.search_runs([experiment], query, max_results=1))

    def write(self, run: TrackedRun) -> None:
        """Write a run; one that could not be written whole is not marked as complete."""
        client, experiment = self._client()
        made = client.create_run(experiment, run_name=run.name, tags=dict(run.tags))
        settings = [self._entities.Param(name, value) for name, value in run.settings.items()]
        for several in _batches(settings, _MOST_SETTINGS):
            client.log_batch(made.info.run_id, params=several)
        now, last = int(1000 * time.time()), max(run.curve)
        values = [(name, value, epoch) for epoch, each in run.curve.items() for name, value in each.items()]
        values += [(name, value, last) for name, value in run.scores.items()]
        metrics = [self._entities.Metric(name, value, now, step) for name, value, step in values]
        for some in _batches(metrics, _MOST_METRICS):
            client.log_batch(made.info.run_id, metrics=some)
        client.set_terminated(made.info.run_id)

    def _client(self) -> tuple[Any, str]:
        """Return the client and the experiment, which is made where there is none."""
        if self._made is None:
            client = self._new_client(tracking_uri=self.place)
            known = client.get_experiment_by_name(EXPERIMENT)
            new = known is None
            self._made = client, client.create_experiment(EXPERIMENT, self._artifacts) if new else known.experiment_id
        return self._made


class TensorBoard:
    """TensorBoard's files: one folder per run in ``tensorboard``, ``ARM/SEED/CORPUS-KEY``."""

    def __init__(self, out: Path) -> None:
        from torch.utils.tensorboard.writer import SummaryWriter

        self._writer = SummaryWriter
        self._folder = out / "tensorboard"
        self.place = str(self._folder)

    def has(self, run: Run) -> bool:
        """Return whether the folder of the run is there; it is written completely or not at all."""
        record = run.record
        return self._of(record.key, record.arm.name, record.seed, record.corpus.name).is_dir()

    def write(self, run: TrackedRun) -> None:
        """Write a run."""
        with atomic_folder(self._of(run.key, run.arm, run.seed, run.corpus)) as folder:
            writer = self._writer(str(folder))
            for epoch, values in run.curve.items():
                for name, value in values.items():
                    writer.add_scalar(name, value, epoch)
            settings: Mapping[str, Any] = {**run.settings, **{f"tag.{name}": text for name, text in run.tags.items()}}
            writer.add_hparams(dict(settings), dict(run.scores), run_name=".")
            writer.close()

    def _of(self, key: str, arm: str, seed: int, corpus: str) -> Path:
        return self._folder / _file_name(arm) / str(seed) / f"{_file_name(corpus)}-{key[:8]}"


def _file_name(name: str) -> str:
    return cut_name(re.sub(r"[^\w.+-]+", "-", name).strip(".-") or "unnamed")


def _batches(values: Sequence[T], size: int) -> list[list[T]]:
    left = iter(values)
    return list(iter(lambda: list(islice(left, size)), []))
