"""Which run to deploy: chosen on dev alone, test is never looked at."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from replicate.corpus import Corpus, load
from replicate.corpus.types import SPLITS
from replicate.errors import NothingToExport, NotThisFormat
from replicate.experiment.manifest import MANIFEST, read
from replicate.store.run import Run
from replicate.store.store import Store
from replicate.training.metrics import weighted_f1


@dataclass(frozen=True)
class Choice:
    """A run and why it was chosen.

    Attributes:
        results: the folder whose manifest it came from.
        runs: of each arm that can run on speech alone, its runs; the best arm first.
        asked: whether a user named the run or the arm, so that it need not be the best.
    """

    run: Run
    results: Path
    runs: dict[str, list[Run]]
    asked: bool = False

    @property
    def mean_dev_f1(self) -> dict[str, float]:
        """Mean weighted F1 on dev from audio alone, of each arm."""
        return {arm: mean(map(dev_f1, runs)) for arm, runs in self.runs.items()}

    @property
    def dev_f1(self) -> float:
        """Weighted F1 on dev from audio alone, of the chosen run."""
        return dev_f1(self.run)

    @property
    def siblings(self) -> list[Run]:
        """All runs of the chosen run's arm."""
        return self.runs[name_of(self.run)]


def name_of(run: Run) -> str:
    """The arm's name."""
    return run.record.arm.name


def dev_f1(run: Run) -> float:
    """Weighted F1 on dev from audio alone."""
    return weighted_f1(run.labels("dev"), run.log_prob("dev", "A"))


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


def choose(results: Path, arm: str | None = None, key: str | None = None) -> Choice:
    """The arm with the best mean dev weighted F1 from audio alone, and of it the seed with the best.

    ``arm`` takes that arm instead, ``key`` (or its beginning) that run. Models that hear HuBERT features, which need a
    far larger model before them, are taken where they are asked for, or where there are no others. Those whose
    extractor is no transformer stay out.

    Raises:
        NothingToExport: no run of the folder can be tested on audio alone, or not the one asked for.
        CorruptRun: a run is damaged.
    """
    manifest = read_manifest(results)
    store = Store(manifest["store"])
    found: dict[str, list[Run]] = {}
    for listed in manifest["runs"]:
        run = store.get(listed)
        if run is None:
            raise NothingToExport(f"run {listed} is not in {store.root}: run the table again, or copy its runs/ along")
        found.setdefault(name_of(run), []).append(run)
    if not found:
        raise NothingToExport(f"no model in {results} works on speech alone: run a table with A inference")
    ranked = dict(sorted(found.items(), key=lambda item: -mean(map(dev_f1, item[1]))))
    if key is not None:
        asked = [run for runs in ranked.values() for run in runs if run.record.key.startswith(key)]
        if len(asked) != 1:
            raise NothingToExport(
                f"{len(asked)} runs of {results} that work on speech alone have a key that begins with {key!r}: "
                "`replicate runs list` shows all keys"
            )
        return Choice(asked[0], results, ranked, True)
    if arm is not None and arm not in ranked:
        raise NothingToExport(
            f"no arm {arm!r} in {results} can be exported: that takes one with a transformer as its context extractor "
            f"that works on speech alone; there are {', '.join(ranked)}"
        )
    small = [name for name, runs in ranked.items() if runs[0].audio_stream == "audio"]
    return Choice(max(ranked[arm or next(iter(small or ranked))], key=dev_f1), results, ranked, arm is not None)


def corpus_of(run: Run, data: str | Path, data_dir: str | Path | None = None) -> Corpus | None:
    """The corpus as a run was trained on it, without the dialogues that its table left out; None if it is another.

    Raises:
        ReplicateError: it cannot be loaded.
    """
    corpus = load(data, data_dir)
    known = {str(id_) for split in SPLITS for id_ in run.dialogues(split)}
    left_out = [dialogue.id for dialogue in corpus.dialogues if dialogue.id not in known]
    if len(left_out) < len(corpus.dialogues):
        corpus = corpus.without(left_out)
    return corpus if corpus.hash == run.record.corpus.hash else None


def corpus_of_results(results: Path, run: Run) -> Corpus:
    """The corpus behind a results folder.

    Raises:
        NothingToExport: it has changed since. ReplicateError: it cannot be loaded.
    """
    source = read_manifest(results)["source"]
    corpus = corpus_of(run, source["data"], source["data_dir"])
    if corpus is None:
        raise NothingToExport(f"corpus {source['data']} has changed since {results} was trained: run the table again")
    return corpus
