"""The Python API: train an arm or a table, load a corpus, export a model. ``import replicate`` gives these functions.

Runs are kept in the same store as those of the command line, so that nothing is trained twice.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import SupportsIndex

from replicate.config import arms, folders
from replicate.config.requirements import check_streams
from replicate.corpus import load
from replicate.corpus.types import Corpus
from replicate.errors import BadBundle, NotExportable
from replicate.experiment import collect
from replicate.experiment.completed import CompletedRuns
from replicate.experiment.context import CommandContext, Training
from replicate.experiment.prepare import Options, prepare
from replicate.metrics import DEFAULT
from replicate.results.aggregate import TableResult
from replicate.runner.progress import Progress, ProgressCallback
from replicate.runner.tasks import TaskGraph
from replicate.store.run import Run
from replicate.training.arm import Arm
from replicate.training.config import Precision
from replicate.training.required import require

__all__ = ["export", "load_corpus", "table", "train"]


def train(
    arm: str | Arm,
    corpus: str | Path | Corpus | None = None,
    *,
    profile: str = "quick",
    protocol: str = "paper",
    privileged: str | None = None,
    seed: SupportsIndex = 24,
    results: str | Path = "results",
    store: str | Path | None = None,
    data_dir: str | Path | None = None,
    device: str = "auto",
    precision: Precision = "float32",
    jobs: int = 1,
    config_dirs: str | Path | Iterable[str | Path] | None = None,
    progress: bool = True,
) -> Run:
    """Train an arm from one seed, its teachers first, and return the run. A second call loads it.

    Args:
        arm: name of an arm, or an ``Arm``.
        corpus: name or file of a corpus, or a ``Corpus``; None takes the profile's.
        profile: size of the experiment: "smoke" (seconds), "quick" (minutes) or "paper".
        protocol: "paper", "released", or one with overrides, such as "paper+masking.unit=batch".
        privileged: streams that only training sees, "visual", "text", "visual+text" or "none"; None takes visual where
            the corpus has it, else text, else none. With text, the arm "COGMEN-AV" is named "COGMEN-AT".
        results: folder of results, as ``--out`` of the command line.
        store: where runs are kept, a folder or an fsspec address; None takes ``runs`` in ``results``.
        data_dir: folder with the files of a named corpus.
        device: "auto", "cpu" or "cuda".
        jobs: runs trained at a time. With more than 1, a script needs ``if __name__ == "__main__":`` around the call.
        config_dirs: folders of your own arms, protocols and plugins, or one such folder; None keeps those of an
            earlier call.
        progress: show a bar in a terminal or notebook.

    Raises:
        TrainingFailed: training raised an exception. ReplicateError: any other error that a user can repair.
    """
    _use(config_dirs)
    options = _options(
        corpus, data_dir, results, store, profile, protocol, privileged, (seed,), device, precision, jobs
    )
    plan, context = prepare([], options)
    chosen = arm if isinstance(arm, Arm) else arms.arm(arm, plan.privileged)
    require(plan.corpus, chosen.required_streams)
    check_streams(chosen, plan.privileged)
    spec = plan.run_of(chosen, plan.protocol, plan.seeds[0])
    graph = TaskGraph([(spec, plan.corpus)], plan.device)
    _complete(graph, context, progress).require_complete()
    run = context.store.need(graph.key(spec, plan.corpus), f"{chosen.name}, seed {spec.seed}")
    return replace(run, corpus=plan.corpus)


def table(
    name: str,
    corpus: str | Path | Corpus | None = None,
    *,
    seeds: SupportsIndex | Sequence[SupportsIndex] | None = None,
    profile: str = "quick",
    protocol: str = "paper",
    privileged: str | None = None,
    results: str | Path = "results",
    store: str | Path | None = None,
    data_dir: str | Path | None = None,
    device: str = "auto",
    precision: Precision = "float32",
    jobs: int = 1,
    folds: str | int = "",
    metric: str = DEFAULT,
    config_dirs: str | Path | Iterable[str | Path] | None = None,
    progress: bool = True,
) -> TableResult:
    """Train all runs of a table that the store lacks, and return its cells. No file but the runs is written.

    Args:
        name: such as "table2".
        seeds: how many, or which; None takes the profile's. All other arguments are as in ``train``.
        folds: cross-validation: "session", "speaker", a number of folds K, or "dev-K"; "" keeps the corpus's splits.
        metric: what the cells show: "weighted_f1", "accuracy", "ua", "macro_f1", "ece" or "f1:<class>".

    Warns:
        UserWarning: for each run whose training failed; its row has no cells, and is in ``TableResult.failed``.

    Raises:
        ReplicateError: any error that a user can repair.
    """
    _use(config_dirs)
    options = _options(corpus, data_dir, results, store, profile, protocol, privileged, seeds, device, precision, jobs)
    plan, context = prepare([name], replace(options, folds=str(folds), metric=metric))
    training = _complete(plan.graph, context, progress)
    for run in training.failed:
        warnings.warn(str(run), stacklevel=2)
    completed = CompletedRuns(plan, context.store, {run.key: run for run in training.failed})
    (result,) = collect.tables(completed)
    return result


def load_corpus(
    name: str | Path,
    data_dir: str | Path | None = None,
    *,
    config_dirs: str | Path | Iterable[str | Path] | None = None,
) -> Corpus:
    """Load a corpus by name or file; a public one is downloaded first.

    Args:
        data_dir: folder with the files of a named corpus.
        config_dirs: folder or folders with readers of your own; None keeps those of an earlier call.

    Raises:
        ReplicateError: any error that a user can repair.
    """
    _use(config_dirs)
    return load(name, data_dir)


def export(
    run: Run,
    folder: str | Path,
    corpus: str | Path | Corpus | None = None,
    *,
    data_dir: str | Path | None = None,
    portable: bool = False,
) -> Path:
    """Export a run that works on speech alone as a bundle, check it against PyTorch, and return the bundle's folder.

    Args:
        corpus: the corpus that the run was trained on, to check the bundle with; None takes that of
            ``train``, or loads it by its name.
        portable: use operators of ONNX itself alone, which other runtimes than onnxruntime have.

    Raises:
        NotExportable: the arm is not tested on audio alone, or its context extractor cannot be exported. ExportFailed:
        a check failed, and nothing was written. BadBundle: the corpus is another one, or cannot be found.
    """
    from export.bundle import bundle
    from export.bundle.select import Choice

    arm = run.record.arm
    if "A" not in arm.contexts:
        raise NotExportable(f"{arm.name} is not tested on audio alone, only in {', '.join(arm.contexts)}")
    loaded = run.corpus if corpus is None and data_dir is None else corpus
    if not isinstance(loaded, Corpus):
        name, place = None if corpus is None else str(corpus), None if data_dir is None else Path(data_dir)
        loaded = bundle.corpus_for(run, name, place)
    if loaded is None:
        raise BadBundle(f"the corpus {run.record.corpus.name} is not on this machine: pass it as corpus=")
    if loaded.hash != run.record.corpus.hash:
        raise BadBundle(f"the run was trained on another corpus than {loaded.name}: its hash differs")
    choice = Choice(run, run.folder.parent, {arm.name: [run]}, True)
    return bundle.write(choice, loaded, Path(folder), portable=portable).folder


def _use(config_dirs: str | Path | Iterable[str | Path] | None) -> None:
    """Use these folders, or those of an earlier call, whose plugins may have changed since."""
    folders.use(folders.current() if config_dirs is None else config_dirs)


def _options(
    corpus: str | Path | Corpus | None,
    data_dir: str | Path | None,
    results: str | Path,
    store: str | Path | None,
    profile: str,
    protocol: str,
    privileged: str | None,
    seeds: SupportsIndex | Sequence[SupportsIndex] | None,
    device: str,
    precision: Precision,
    jobs: int,
) -> Options:
    return Options(
        profile,
        protocol,
        seeds,
        corpus,
        None if data_dir is None else Path(data_dir),
        device,
        jobs,
        Path(results),
        store,
        precision=precision,
        privileged=privileged,
    )


def _complete(graph: TaskGraph, context: CommandContext, progress: bool) -> Training:
    """Train the runs that the store lacks."""
    todo = context.missing(graph)
    epochs = sum(task.spec.epochs(graph.corpora[task.corpus]) for task in todo)
    with _bar(epochs, progress) as callback:
        return context.train(graph, todo, callback)


@contextmanager
def _bar(epochs: int, shown: bool) -> Iterator[ProgressCallback]:
    from tqdm.auto import tqdm

    # None hides the bar where stderr is a file; a notebook's stderr is not a terminal either, but can show it.
    hidden = not shown or epochs == 0 or (False if "ipykernel" in sys.modules else None)
    with tqdm(total=epochs, unit="epoch", disable=hidden, leave=False) as bar:

        def update(progress: Progress) -> None:
            bar.set_description(progress.task.name)
            bar.update(progress.epoch is not None)

        yield update
