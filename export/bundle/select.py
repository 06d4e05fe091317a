"""Choose the run to export, by its F1 on dev; test is never used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from replicate.corpus import Corpus, load
from replicate.corpus.leave_out import leave_out
from replicate.corpus.types import SPLITS
from replicate.errors import NothingToExport, NotThisFormat
from replicate.experiment.manifest import Manifest
from replicate.model.context.base import context_extractor
from replicate.store.run import Run
from replicate.store.store import Store
from replicate.suggest import choices
from replicate.training.config import HUBERT

# Between an arm's name and the width of its feed-forward layers.
WIDTH = ", feed-forward "


@dataclass(frozen=True)
class Choice:
    """The chosen run, and what it was chosen from.

    Attributes:
        results: the results folder whose manifest lists the runs.
        runs: the runs of each arm that can be used on speech alone; the best arm first. Where runs of one arm have
            feed-forward layers of several widths, as those of table `deploy` may, each width is a name of its own.
        requested: whether the user named the run or the arm, so that it need not be the best.
        why: another reason for the choice, for the model card.
    """

    run: Run
    results: Path
    runs: dict[str, list[Run]]
    requested: bool = False
    why: str = ""

    @property
    def mean_dev_f1(self) -> dict[str, float]:
        """Mean weighted F1 on dev from audio alone, for each arm."""
        return {arm: mean(map(dev_f1, runs)) for arm, runs in self.runs.items()}

    @property
    def dev_f1(self) -> float:
        """Weighted F1 on dev from audio alone, of the chosen run."""
        return dev_f1(self.run)

    @property
    def siblings(self) -> list[Run]:
        """All runs of the chosen run's arm."""
        return next(runs for runs in self.runs.values() if self.run in runs)


def dev_f1(run: Run) -> float:
    """Compute weighted F1 on dev from audio alone."""
    return run.f1("A", "dev")


def read_manifest(results: Path) -> Manifest:
    """Load the manifest of a results folder.

    Raises:
        NothingToExport: it is missing or cannot be read. OldFormat, NewerFormat: another version wrote it.
    """
    try:
        return Manifest.load(results)
    except NotThisFormat as error:
        raise NothingToExport(str(error)) from error


def choose(results: Path, arm: str | None = None, key: str | None = None) -> Choice:
    """Choose the arm with the best mean weighted F1 on dev from audio alone, and its best seed.

    Arms with HuBERT features, which need a far larger model to extract, are only chosen by name or if there are no
    others. Runs that cannot be exported are not considered.

    Args:
        arm: choose the best seed of this arm.
        key: choose this run; the beginning of its key is enough.

    Raises:
        NothingToExport: no run of the folder can be exported, or not the one that was named. CorruptRun: a run is
            damaged.
    """
    manifest = read_manifest(results)
    if manifest.folds:
        raise NothingToExport(
            f"the runs of {results} are of folds ({manifest.folds}), each trained without some of the dialogues: "
            "export a run without --folds, and name its folder with --results"
        )
    store = manifest.open_store(results)
    listed = []
    for each in manifest.deployable:
        run = store.get(each)
        if run is None:
            raise NothingToExport(f"run {each} is not in {store.root}: run the table again, or copy its runs/ along")
        listed.append(run)
    found = _by_name(listed)
    ranked = dict(sorted(found.items(), key=lambda item: -mean(map(dev_f1, item[1]))))
    if arm is not None and arm not in ranked:
        raise NothingToExport(_why_not(arm, manifest, store, results, list(ranked)))
    if not ranked:
        raise NothingToExport(f"no model in {results} can be used on speech alone: run a table with inference from A")
    if key is not None:
        matching = [run for runs in ranked.values() for run in runs if run.record.key.startswith(key)]
        if len(matching) != 1:
            raise NothingToExport(
                f"{len(matching)} exportable runs of {results} have a key that begins with {key!r}: `replicate runs "
                "list` shows all keys"
            )
        return Choice(matching[0], results, ranked, True)
    small = [name for name, runs in ranked.items() if runs[0].audio_stream == "audio"]
    return Choice(max(ranked[arm or next(iter(small or ranked))], key=dev_f1), results, ranked, arm is not None)


def _by_name(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """Group runs by arm, and by the width of the feed-forward layers where runs of one arm have several."""
    widths: dict[str, set[int]] = {}
    for run in runs:
        widths.setdefault(run.record.arm.name, set()).add(run.record.model.feed_forward)
    found: dict[str, list[Run]] = {}
    for run in runs:
        name = run.record.arm.name
        width = f"{WIDTH}{run.record.model.feed_forward}" if len(widths[name]) > 1 else ""
        found.setdefault(f"{name}{width}", []).append(run)
    return found


def _why_not(arm: str, manifest: Manifest, store: Store, results: Path, exportable: list[str]) -> str:
    """Return the message for an arm without a run that can be exported."""
    runs = [run for run in map(store.get, manifest.runs) if run is not None]
    records = {run.record.arm.name: run.record for run in runs}
    if arm not in records:
        failed = [str(run) for run in manifest.failed if run.name.rpartition(", seed ")[0] == arm]
        reason = f"its training failed ({failed[0]})" if failed else f"it is not among the trained runs of {results}"
    elif "A" not in records[arm].arm.contexts:
        reason = f"it is not tested on audio alone, only in {', '.join(records[arm].arm.contexts)}"
    elif records[arm].arm.fusion == "late":
        reason = "its late fusion, with a context extractor per stream, cannot be written as ONNX"
    elif not context_extractor(records[arm].arm.context).exportable:
        reason = f"its context extractor {records[arm].arm.context!r} cannot be written as ONNX"
    elif records[arm].arm.audio in HUBERT and records[arm].protocol.hubert.get("order") != "time":
        reason = "its HuBERT features are in the order of the release, where they belong to other utterances"
    else:
        reason = "its runs are under another protocol or on a part of the corpus, for one table only"
    if any(name.startswith(f"{arm}{WIDTH}") for name in exportable):
        reason = "its runs have feed-forward layers of several widths"
    known = f"there are {', '.join(exportable)}" if arm in records else choices(arm, exportable)
    names = f"{known} to export" if exportable else f"no run of {results} can be exported"
    return f"arm {arm!r} cannot be exported: {reason}; {names}"


def corpus_of(run: Run, data: str | Path, data_dir: str | Path | None = None) -> Corpus | None:
    """Load a corpus without the dialogues that the run's table left out; None if it is not the corpus of the run.

    Raises:
        ReplicateError: it cannot be loaded.
    """
    corpus = load(data, data_dir)
    known = {str(id_) for split in SPLITS for id_ in run.dialogues(split)}
    left_out = [dialogue.id for dialogue in corpus.dialogues if dialogue.id not in known]
    if len(left_out) < len(corpus.dialogues):
        corpus = leave_out(corpus, left_out)
    return corpus if corpus.hash == run.record.corpus.hash else None


def corpus_of_results(results: Path, run: Run) -> Corpus:
    """Load the corpus that the runs of a results folder were trained on.

    A corpus of a user's own format needs its reader: the user passes ``--config-dir``, because folders that a manifest
    names are never imported.

    Raises:
        NothingToExport: it was changed after the training. ReplicateError: it cannot be loaded.
    """
    manifest = read_manifest(results)
    source = manifest.source
    corpus = corpus_of(run, source.data, source.data_dir)
    if corpus is None:
        raise NothingToExport(f"corpus {source.data} has changed since {results} was trained: run the table again")
    return corpus
