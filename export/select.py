"""Which run to deploy: chosen on dev alone, test is never looked at."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from replicate.corpus import Corpus, load
from replicate.errors import NothingToExport, NotThisFormat
from replicate.experiment.manifest import MANIFEST, read
from replicate.experiment.store import Store, StoredRun
from replicate.training.metrics import weighted_f1


@dataclass(frozen=True)
class Choice:
    """A run and why it was chosen.

    Attributes:
        results: the folder whose manifest it came from.
        mean_dev_f1: of each arm that can run on speech alone, best first.
        dev_f1: of the chosen run.
    """

    run: StoredRun
    results: Path
    mean_dev_f1: dict[str, float]
    dev_f1: float


def newest_results(folder: Path) -> Path:
    """The folder of the newest manifest at or below ``folder``.

    Raises:
        NothingToExport: there is none.
    """
    found = sorted(folder.rglob(MANIFEST), key=lambda path: path.stat().st_mtime)
    if not found:
        raise NothingToExport(f"no finished table in {folder}: run `replicate run table2` first, or give --results")
    return found[-1].parent


def read_manifest(results: Path) -> dict[str, Any]:
    """What ``replicate run`` wrote about a results folder.

    Raises:
        NothingToExport: it cannot be read.
    """
    try:
        manifest = read(results)
        source = manifest["source"]
        found = {"runs": manifest["deployable"], "store": results / manifest["store"], "source": source}
        if not all(isinstance(key, str) for key in found["runs"]) or not {"data", "data_dir"} <= source.keys():
            raise TypeError("its runs or source are malformed")
        return found
    except NotThisFormat as error:
        raise NothingToExport(str(error)) from error
    except (KeyError, TypeError, AttributeError) as error:
        raise NothingToExport(f"cannot read {results / MANIFEST} ({error}): run the table again") from error


def best_speech_run(results: Path) -> Choice:
    """The arm with the best mean dev weighted F1 from audio alone, and of it the seed with the best.

    Models that hear HuBERT features stay out: an exported file takes the features of the corpus's audio stream.

    Raises:
        NothingToExport: no run of the folder can be tested on audio alone. CorruptRun: a run is damaged.
    """
    manifest = read_manifest(results)
    store = Store(manifest["store"])
    scores: dict[str, list[tuple[float, StoredRun]]] = {}
    for key in manifest["runs"]:
        run = store.get(key)
        if run is None:
            raise NothingToExport(f"run {key} is not in {store.root}: run the table again, or copy its runs/ along")
        f1 = weighted_f1(run.labels("dev"), run.log_prob("dev", "A"))
        scores.setdefault(run.record["arm"]["name"], []).append((f1, run))
    if not scores:
        raise NothingToExport(f"no model in {results} works on speech alone: run a table with A inference")
    means = {arm: mean(f1 for f1, _ in runs) for arm, runs in scores.items()}
    ranked = dict(sorted(means.items(), key=lambda item: -item[1]))
    f1, run = max(scores[next(iter(ranked))], key=lambda item: item[0])
    return Choice(run, results, ranked, f1)


def exported_run(results: Path, model: Path | None = None) -> tuple[Path, StoredRun, Corpus]:
    """An exported file, the run it was made from, and the corpus that run was trained on.

    ``model`` is the file; None takes the one that ``replicate export onnx`` writes by default.

    Raises:
        NothingToExport: no such file, or its run or corpus is not the one of ``results``.
        NotThisFormat: the file is no model of ours.
    """
    path = model or results / "export" / "model.onnx"
    if not path.is_file():
        raise NothingToExport(f"no model at {path}: run `replicate export onnx --results {results}` first")
    manifest = read_manifest(results)
    key = _metadata(path).get("run", "")
    run = Store(manifest["store"]).get(key) if key else None
    if run is None:
        raise NothingToExport(f"{path} was not exported from {results}: export it again, or give its --results")
    corpus = load(manifest["source"]["data"], manifest["source"]["data_dir"])
    if corpus.hash != run.record["corpus"]["hash"]:
        raise NothingToExport(f"corpus {corpus.name} has changed since {path} was trained: run the table again")
    return path, run, corpus


def _metadata(path: Path) -> dict[str, str]:
    import onnx
    from google.protobuf.message import DecodeError

    try:
        return {entry.key: entry.value for entry in onnx.load(path, load_external_data=False).metadata_props}
    except (DecodeError, OSError) as error:
        raise NotThisFormat(f"{path} is no ONNX file ({error}): export it again") from error
