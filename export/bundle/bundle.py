"""Write and check a bundle: model, quantised model, model card, predictor, the run itself, and checksums.

The bundle of a causal run also contains the model that predicts utterance by utterance, and that of a run on acoustic
functionals its model from waveforms.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from export.bundle import model_card, script
from export.bundle.opening import RUN, open_run
from export.bundle.select import Choice, corpus_of
from export.bundle_files import CHECKSUMS, INT8, MODEL, STREAM, WAV, WAV_STREAM
from export.onnx import quantise, save
from export.onnx.deployed_model import SpeechModel
from export.onnx.fitted import fit, of_file
from export.onnx.quantise import Quantised
from export.validate.check import Check, Wrong, attempt, require_passed
from export.validate.checks import runs, same_metadata
from export.validate.dialogue import example, nearly_the_same, run_checks
from export.validate.streaming import run_stream_checks
from export.validate.waveform import run_waveform_checks
from replicate.corpus import is_here, named_corpora
from replicate.corpus.readers.base import NamedCorpus
from replicate.corpus.types import Corpus
from replicate.errors import BadBundle, CannotWrite
from replicate.files import atomic_folder, from_os_error, sha256
from replicate.store.run import Run

CARD, SCRIPT = "README.md", "predict.py"
# Checks of the 32-bit file without which the other files have nothing to be compared with.
NEEDED = ("onnxruntime", "onnxruntime against torch_geometric")


@dataclass(frozen=True)
class Bundle:
    """A bundle that was written, and the results of its checks."""

    folder: Path
    checks: list[Check]
    quantised: Quantised


def write(
    choice: Choice,
    corpus: Corpus,
    target: Path,
    on_step: Callable[[str], None] = lambda _: None,
    portable: bool = False,
    data: NamedCorpus | None = None,
) -> Bundle:
    """Export a run as a bundle; an earlier bundle in the folder is replaced.

    Args:
        portable: use operators of ONNX itself alone.
        data: what the corpus was made of, if it is no named one, for the card: its licence and language.
        on_step: called with the name of each step, to show progress.

    Raises:
        ExportFailed: checks failed (all are named), and nothing was written. CannotWrite: the folder has other content.
    """
    target = target.resolve()  # replaces the folder that a link leads to, not the link
    _require_replaceable(target)
    run = choice.run
    with atomic_folder(target, replace=True) as folder:
        model = folder / MODEL
        on_step("exporting")
        fitted = fit(run, corpus)
        save.write(run, corpus.speakers, model, portable, fitted)
        on_step("checking against PyTorch")
        checks = run_checks(model, run, corpus)
        if save.streams(run):
            save.write_stream(run, corpus.speakers, folder / STREAM, portable, fitted)
            checks += run_stream_checks(folder / STREAM, model, run, corpus)
        for stream, name in _wav_files(run):
            save.write_wav(run, corpus.speakers, folder / name, stream, fitted)
            checks += run_waveform_checks(folder / name, run, corpus, stream, model)
        require_passed(checks, target)
        on_step("quantising")
        quantised = quantise.write(model, folder / INT8, corpus, run.audio_stream)
        shutil.copytree(run.folder, folder / RUN / run.record.key)
        (folder / SCRIPT).write_text(script.text(), encoding="utf-8")
        (folder / CARD).write_text(model_card.text(choice, corpus, model, checks, quantised, data), encoding="utf-8")
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        checksums = {path.relative_to(folder).as_posix(): sha256(path) for path in files}
        (folder / CHECKSUMS).write_text(json.dumps(checksums, indent=1) + "\n", encoding="utf-8")
    return Bundle(target, checks, quantised)


def corpus_for(run: Run, data: str | None = None, data_dir: Path | None = None) -> Corpus | None:
    """Load the corpus that a run was trained on; None if it is not on this machine.

    Raises:
        BadBundle: ``data`` is another corpus than the run's.
    """
    name = data or run.record.corpus.name
    if data is None and (name not in named_corpora() or not is_here(name, data_dir)):
        return None
    corpus = corpus_of(run, name, data_dir)
    if corpus is None and (data or data_dir):
        raise BadBundle(
            f"{data or data_dir} is not the corpus that the bundle's model was trained on: its hash differs"
        )
    return corpus


def check(folder: Path, corpus: Corpus | None) -> list[Check]:
    """Run all checks of a bundle; without the corpus, those of F1 cannot be run.

    Raises:
        BadBundle: see ``open_run``. CorruptRun: the run cannot be used.
    """
    run = open_run(folder)
    found = run_checks(folder / MODEL, run, corpus)
    checks = [Check("checksums", True, "all files as exported"), *found]
    if any(check.passed is False for check in found if check.name in NEEDED):  # the others are compared with it
        return checks
    if (folder / INT8).is_file():
        checks += run_int8_checks(folder / INT8, folder / MODEL, run, corpus)
    if (folder / STREAM).is_file():
        checks += run_stream_checks(folder / STREAM, folder / MODEL, run, corpus)
    for stream, name in _wav_files(run):
        if (folder / name).is_file():
            checks += run_waveform_checks(folder / name, run, corpus, stream, folder / MODEL)
    return checks


def _wav_files(run: Run) -> list[tuple[bool, str]]:
    """Return the files for waveforms that a run has: whether they predict utterance by utterance, and their names."""
    if not save.takes_waveforms(run):
        return []
    return [(False, WAV), *([(True, WAV_STREAM)] if save.streams(run) else [])]


def run_int8_checks(int8: Path, model: Path, run: Run, corpus: Corpus | None) -> list[Check]:
    """Check that the quantised file is of the same run, close to the 32-bit file, and about as good on dev."""

    def dev_f1() -> str:
        assert corpus is not None
        quantised = quantise.compare(model, int8, corpus, run.audio_stream)
        if not quantised.kept:
            raise Wrong(quantised.summary)
        return quantised.summary

    first = attempt("int8: onnxruntime", lambda: runs(int8, example((1,), SpeechModel(run.model(), run.scaling()))))
    if not first.passed:
        return [first]
    same = attempt("int8 against fp32", lambda: nearly_the_same(int8, model, run))
    checks = [first, attempt("int8 metadata", lambda: same_metadata(int8, run, corpus, of_file(model))), same]
    if corpus is None:
        return [*checks, Check("int8 dev F1", None, f"needs the corpus {run.record.corpus.name}: --data FILE")]
    if not same.passed:
        return [*checks, Check("int8 dev F1", None, "it predicts something else")]
    return [*checks, attempt("int8 dev F1", dev_f1)]


def _require_replaceable(target: Path) -> None:
    """Refuse to replace anything but an earlier bundle without additional files."""
    try:
        if not target.exists():
            return
        files = {path.relative_to(target).as_posix() for path in target.rglob("*") if not path.is_dir()}
    except OSError as error:
        raise from_os_error(error, target) from error
    if not target.is_dir() or (files and not {CHECKSUMS, MODEL, SCRIPT, CARD} <= files):
        raise CannotWrite(f"{target} exists and is not an exported bundle: choose another folder with --out")
    others = sorted(
        name
        for name in files - {CHECKSUMS, MODEL, INT8, STREAM, WAV, WAV_STREAM, SCRIPT, CARD}
        if not name.startswith(f"{RUN}/")
    )
    if others:
        raise CannotWrite(
            f"{target} also contains {others[0]}, which is not part of the bundle: move that file, or choose another "
            "folder with --out"
        )
