"""The folder that people deploy: model, quantised model, model card, a predictor, the run itself, checksums.

Of a causal run also the model that answers utterance by utterance.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from export import predictor
from export.bundle import model_card
from export.bundle.select import Choice, corpus_of
from export.onnx import quantise, save
from export.onnx.quantise import Quantised
from export.predictor import CHECKSUMS, INT8, MODEL, STREAM
from export.validate.dialogue import Check, Wrong, attempt, nearly_the_same, run_checks, same_metadata
from export.validate.streaming import run_stream_checks
from replicate.corpus import catalogue, is_here
from replicate.corpus.types import Corpus
from replicate.errors import BadBundle, CannotWrite, ExportFailed
from replicate.files import atomic_folder, from_os_error, sha256
from replicate.store.run import Run
from replicate.store.store import Store

CARD, SCRIPT, RUN = "README.md", "predict.py", "run"


@dataclass(frozen=True)
class Bundle:
    """A written bundle and what its checks found."""

    folder: Path
    checks: list[Check]
    quantised: Quantised


def write(choice: Choice, corpus: Corpus, target: Path, listen: Callable[[str], None] = lambda _: None) -> Bundle:
    """Export a run to a folder, all or nothing; a bundle that stood there is replaced.

    Raises:
        ExportFailed: naming every check that failed; nothing is written. CannotWrite: something else stands there.
    """
    target = target.resolve()  # a link to a bundle goes on leading there
    _refuse_others(target)
    run = choice.run
    with atomic_folder(target, replace=True) as folder:
        model = folder / MODEL
        listen("exporting")
        save.write(run, corpus.speakers, model)
        listen("checking against PyTorch")
        checks = run_checks(model, run, corpus)
        if save.streams(run):
            save.write_stream(run, corpus.speakers, folder / STREAM)
            checks += run_stream_checks(folder / STREAM, model, run, corpus)
        require_passed(checks, target)
        listen("quantising")
        quantised = quantise.write(model, folder / INT8, corpus, run.audio_stream)
        shutil.copytree(run.folder, folder / RUN / run.record.key)
        shutil.copyfile(predictor.__file__, folder / SCRIPT)
        (folder / CARD).write_text(model_card.text(choice, corpus, model, checks, quantised), encoding="utf-8")
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        checksums = {path.relative_to(folder).as_posix(): sha256(path) for path in files}
        (folder / CHECKSUMS).write_text(json.dumps(checksums, indent=1) + "\n", encoding="utf-8")
    return Bundle(target, checks, quantised)


def open_run(folder: Path) -> Run:
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
        raise BadBundle(f"{folder} holds {len(keys)} sound runs in {RUN}/ where it has one: export it again")
    return run


def corpus_for(run: Run, data: str | None = None, data_dir: Path | None = None) -> Corpus | None:
    """The corpus that a run was trained on, None where it is not on this machine.

    Raises:
        BadBundle: ``data`` is another corpus than the run's.
    """
    name = data or run.record.corpus.name
    if data is None and (name not in catalogue() or not is_here(name, data_dir)):
        return None
    corpus = corpus_of(run, name, data_dir)
    if corpus is None and (data or data_dir):
        raise BadBundle(
            f"{data or data_dir} is not the corpus that the bundle's model was trained on: its hash differs"
        )
    return corpus


def check(folder: Path, corpus: Corpus | None) -> list[Check]:
    """The whole ladder for a bundle from anywhere.

    Raises:
        BadBundle: its files are not as they were written.
    """
    run = open_run(folder)
    checks = [Check("checksums", True, "every file as it was written"), *run_checks(folder / MODEL, run, corpus)]
    if (folder / INT8).is_file():
        checks += run_int8_checks(folder / INT8, folder / MODEL, run, corpus)
    if (folder / STREAM).is_file():
        checks += run_stream_checks(folder / STREAM, folder / MODEL, run, corpus)
    return checks


def run_int8_checks(int8: Path, model: Path, run: Run, corpus: Corpus | None) -> list[Check]:
    """What holds for the quantised file: it is of the same run, near the other one, and as good on dev."""

    def dev_f1() -> str:
        assert corpus is not None
        quantised = quantise.compare(model, int8, corpus, run.audio_stream)
        if not quantised.kept:
            raise Wrong(quantised.summary)
        return quantised.summary

    checks = [
        attempt("int8 metadata", lambda: same_metadata(int8, run, corpus)),
        attempt("int8 against fp32", lambda: nearly_the_same(int8, model, run)),
    ]
    if corpus is None:
        return [*checks, Check("int8 dev F1", None, f"needs the corpus {run.record.corpus.name}: --data FILE")]
    return [*checks, attempt("int8 dev F1", dev_f1)]


def require_passed(checks: list[Check], shown: Path) -> None:
    """Refuse a model that fails a check.

    Raises:
        ExportFailed: naming every one that failed.
    """
    failed = [f"{check.name} ({check.found})" for check in checks if check.holds is False]
    if failed:
        raise ExportFailed(
            f"{shown} is not to be used, it fails {len(failed)} of {len(checks)} checks: {'; '.join(failed)}; compare "
            "your torch, onnx and onnxruntime with constraints.txt and export again"
        )


def _refuse_others(target: Path) -> None:
    """Only an earlier bundle may be replaced, never a folder of something else, nor one that holds more."""
    try:
        if not target.exists():
            return
        files = {path.relative_to(target).as_posix() for path in target.rglob("*") if not path.is_dir()}
    except OSError as error:
        raise from_os_error(error, target) from error
    if not target.is_dir() or (files and not {CHECKSUMS, MODEL, SCRIPT, CARD} <= files):
        raise CannotWrite(f"{target} is there and is no exported bundle: choose another folder with --out")
    others = sorted(
        name for name in files - {CHECKSUMS, MODEL, INT8, STREAM, SCRIPT, CARD} if not name.startswith(f"{RUN}/")
    )
    if others:
        raise CannotWrite(
            f"{target} is a bundle and holds {others[0]}, too, which is none of its files: move it, or choose another "
            "folder with --out"
        )
