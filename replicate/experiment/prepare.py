"""Make a plan and a context from a command's options; all of it is checked before anything is trained."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, SupportsIndex, get_args

from replicate import devices, metrics
from replicate.config import privileged, profiles, protocols, requirements
from replicate.config import tables as definitions
from replicate.corpus import load, named_corpora
from replicate.corpus.texts import check_texts
from replicate.corpus.types import Corpus
from replicate.errors import BadSeeds, InvalidArgument
from replicate.experiment import relation_memory
from replicate.experiment.context import CommandContext
from replicate.experiment.plan import Plan, Source
from replicate.machine import cores
from replicate.runner.ray import Cluster
from replicate.store import open_store
from replicate.training.config import Precision
from replicate.training.required import require


@dataclass(frozen=True)
class Options:
    """What a user chooses for training, in Python or on the command line.

    Attributes:
        seeds: as on the command line ("24,25" or a count), a count, or numbers; None takes the profile's.
        data: name or file of a corpus, or the corpus; None takes the profile's.
        data_dir: folder with the files of a named corpus.
        device: "auto", "cpu" or "cuda".
        jobs: runs trained at a time; None takes one per core, and 1 on a GPU.
        out: folder of the outputs.
        store: where completed runs are kept, a folder or an fsspec address; None takes ``runs`` in ``out``.
        keep_dropped: use the dialogues that some tables leave out.
        stacked: whether to train all seeds of an arm as one program; None: only on a GPU.
        cluster: a Ray cluster to train on.
        privileged: streams that only training sees, one of ``config.privileged.CHOICES``; None takes visual where the
            corpus has it, else text, else none.
        folds: see ``replicate.corpus.folds``; "" trains on the splits of the corpus.
        metric: what tables show, see ``replicate.metrics``.
    """

    profile: str = "quick"
    protocol: str = "paper"
    seeds: str | SupportsIndex | Sequence[SupportsIndex] | None = None
    data: str | Path | Corpus | None = None
    data_dir: Path | None = None
    device: str = "auto"
    jobs: int | None = None
    out: Path = Path("results")
    store: str | Path | None = None
    keep_dropped: bool = False
    precision: Precision = "float32"
    stacked: bool | None = None
    cluster: Cluster | None = None
    privileged: str | None = None
    folds: str = ""
    metric: str = metrics.DEFAULT


def prepare(tables: Sequence[str], options: Options) -> tuple[Plan, CommandContext]:
    """Resolve names and options; nothing is trained or written.

    Raises:
        UnknownTable, InvalidDefinition, InvalidArgument, BadSeeds, BadFolds, MissingClass, MissingDevice,
        MissingStream, TooLarge, and every error of ``corpus.load``.
    """
    if options.precision not in get_args(Precision):
        allowed = ", ".join(map(repr, get_args(Precision)))
        raise InvalidArgument(f"precision = {options.precision!r} is none of {allowed}")
    if options.privileged is not None:
        privileged.letters(options.privileged)
    jobs = None if options.jobs is None else _jobs(options.jobs)
    found = tuple(definitions.table(name) for name in tables)
    profile = profiles.profile(options.profile)
    protocol = protocols.protocol(options.protocol)
    seeds = _seeds(options.seeds, profile.seeds)
    device = devices.resolve_device(options.device)
    corpus, source = _corpus(options, profile.corpus)
    relation_memory.check(corpus)
    metrics.metric(options.metric, corpus.labels)
    if not options.folds or options.folds.startswith("dev-"):
        require(corpus, ())  # other folds make their own splits
    letters = privileged.chosen(options.privileged, corpus)
    if letters != privileged.PAPER:
        found = tuple(definitions.table(name, letters) for name in tables)
    kept, left_out = requirements.parted(found, corpus)
    # On CPUs, training all seeds as one program gains little and loses with many seeds: see docs/results/training.
    stacked = device == "cuda" if options.stacked is None else options.stacked
    keep = options.keep_dropped
    precision = options.precision
    plan = Plan(kept, corpus, source, profile, protocol, seeds, device, precision, stacked, keep, left_out, letters)
    plan = replace(plan, folds=options.folds, metric=options.metric)
    for reduced in plan.corpora:
        require(reduced, ())
    jobs = jobs or (1 if device == "cuda" else cores())
    # Absolute, because workers may have another working folder.
    store = open_store(options.store, options.out.resolve() / "runs")
    return plan, CommandContext(jobs, options.out, store, options.cluster)


def _seeds(chosen: str | SupportsIndex | Sequence[SupportsIndex] | None, default: tuple[int, ...]) -> tuple[int, ...]:
    if chosen is None:
        return default
    if isinstance(chosen, str):
        return profiles.parse_seeds(chosen)
    count = _whole_number(chosen)
    if count is not None:
        return profiles.parse_seeds(str(count))
    if not isinstance(chosen, Iterable):
        raise BadSeeds(f"seeds = {chosen!r} must be a count, or a list of whole numbers")
    return profiles.parse_seeds(",".join(str(_seed(each)) for each in chosen) + ",")


def _seed(value: SupportsIndex) -> int:
    number = _whole_number(value)
    if number is None or number < 0:
        raise BadSeeds(f"seed {value!r} is not a whole number of 0 or more")
    return number


def _jobs(value: SupportsIndex) -> int:
    number = _whole_number(value)
    if number is None or number < 1:
        raise InvalidArgument(f"jobs = {value!r} must be a whole number of 1 or more")
    return number


def _whole_number(value: Any) -> int | None:
    """Return an integer of Python or numpy as an int; None for anything else, including a bool."""
    try:
        return None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        return None


def _corpus(options: Options, default: str) -> tuple[Corpus, Source]:
    if isinstance(options.data, Corpus):
        return check_texts(options.data), Source(options.data.name)
    name = default if options.data is None else str(options.data)
    # Absolute, for commands that load the same corpus later from another working folder.
    folder = None if options.data_dir is None else str(options.data_dir.resolve())
    source = Source(name if name in named_corpora() else str(Path(name).resolve()), folder)
    return load(name, options.data_dir), source
