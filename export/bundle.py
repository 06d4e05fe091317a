"""The folder that people deploy: model, quantised model, model card, a predictor, the run itself, checksums."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from export import card, onnx_file, predictor, quantise
from export.check import Rung, climb
from export.predictor import CHECKSUMS, INT8, MODEL
from export.quantise import Quantised
from export.select import Choice, corpus_of
from replicate.corpus import CATALOGUE, is_here
from replicate.corpus.types import Corpus
from replicate.errors import BadBundle, CannotWrite, ExportFailed
from replicate.experiment.store import Store
from replicate.experiment.stored import StoredRun
from replicate.files import atomic_folder, from_os_error, sha256

CARD, SCRIPT, RUN = "README.md", "predict.py", "run"


@dataclass(frozen=True)
class Bundle:
    """A written bundle and what its checks found."""

    folder: Path
    rungs: list[Rung]
    quantised: Quantised


def write(choice: Choice, corpus: Corpus, target: Path, listen: Callable[[str], None] = lambda _: None) -> Bundle:
    """Export a run to a folder, all or nothing; a bundle that stood there is replaced.

    Raises:
        ExportFailed: naming every check that failed; nothing is written. CannotWrite: something else stands there.
    """
    _refuse_others(target)
    run = choice.run
    with atomic_folder(target, replace=True) as folder:
        model = folder / MODEL
        listen("exporting")
        onnx_file.write(run, corpus.speakers, model)
        listen("checking against PyTorch")
        rungs = climb(model, run, corpus)
        demand(rungs, target)
        listen("quantising")
        quantised = quantise.write(model, folder / INT8, corpus)
        shutil.copytree(run.folder, folder / RUN / run.record["key"])
        shutil.copyfile(predictor.__file__, folder / SCRIPT)
        (folder / CARD).write_text(card.text(choice, corpus, rungs, quantised), encoding="utf-8")
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        checksums = {path.relative_to(folder).as_posix(): sha256(path) for path in files}
        (folder / CHECKSUMS).write_text(json.dumps(checksums, indent=1) + "\n", encoding="utf-8")
    return Bundle(target, rungs, quantised)


def open_run(folder: Path) -> StoredRun:
    """The run inside a bundle whose files are as they were written.

    Raises:
        BadBundle: they are not, or the folder is no bundle.
    """
    try:
        predictor.verify(folder)
    except predictor.BadBundle as error:
        raise BadBundle(str(error)) from error
    store = Store(folder / RUN)
    keys = store.keys()
    run = store.get(keys[0]) if len(keys) == 1 else None
    if run is None:
        raise BadBundle(f"{folder} holds no trained run in {RUN}/: export it again")
    return run


def corpus_for(run: StoredRun, data: str | None = None, data_dir: Path | None = None) -> Corpus | None:
    """The corpus that a run was trained on, None where it is not on this machine.

    Raises:
        BadBundle: ``data`` is another corpus than the run's.
    """
    name = data or run.record["corpus"]["name"]
    if data is None and (name not in CATALOGUE or not is_here(name, data_dir)):
        return None
    corpus = corpus_of(run, name, data_dir)
    if corpus is None and (data or data_dir):
        raise BadBundle(
            f"{data or data_dir} is not the corpus that the bundle's model was trained on: its hash differs"
        )
    return corpus


def check(folder: Path, corpus: Corpus | None) -> list[Rung]:
    """The whole ladder for a bundle from anywhere.

    Raises:
        BadBundle: its files are not as they were written.
    """
    run = open_run(folder)
    rungs = [Rung("checksums", True, "every file as it was written"), *climb(folder / MODEL, run, corpus)]
    if (folder / INT8).is_file() and corpus is not None:
        quantised = quantise.compare(folder / MODEL, folder / INT8, corpus)
        rungs.append(Rung("int8", quantised.kept, quantised.said))
    return rungs


def demand(rungs: list[Rung], shown: Path) -> None:
    """Refuse a model that fails a check.

    Raises:
        ExportFailed: naming every one that failed.
    """
    failed = [f"{rung.name} ({rung.found})" for rung in rungs if rung.holds is False]
    if failed:
        raise ExportFailed(
            f"{shown} is not to be used, it fails {len(failed)} of {len(rungs)} checks: {'; '.join(failed)}; compare "
            "your torch, onnx and onnxruntime with constraints.txt and export again"
        )


def _refuse_others(target: Path) -> None:
    """Only an earlier bundle may be replaced, never a folder of something else."""
    try:
        other = target.exists() and not (
            target.is_dir() and ((target / CHECKSUMS).is_file() or not any(target.iterdir()))
        )
    except OSError as error:
        raise from_os_error(error, target) from error
    if other:
        raise CannotWrite(f"{target} is there and is no exported bundle: choose another folder with --out")
