"""Make a plan and a context from a command's options; all of it is checked before anything is trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from replicate.config import profiles, protocols, requirements
from replicate.config import tables as definitions
from replicate.corpus import catalogue, load
from replicate.corpus.types import Corpus
from replicate.experiment.context import CommandContext
from replicate.experiment.plan import Plan, Source
from replicate.runner import local
from replicate.runner.ray import Cluster
from replicate.store import open_store
from replicate.training.config import Precision
from replicate.training.data import require


@dataclass(frozen=True)
class Options:
    """What a user chooses for training, in Python or on the command line.

    Attributes:
        seeds: as on the command line ("24,25" or a count), or as numbers; None takes the profile's.
        data: name or file of a corpus, or the corpus; None takes the profile's.
        data_dir: folder with the files of a named corpus.
        device: "auto", "cpu" or "cuda".
        jobs: runs trained at a time; None takes one per core, and 1 on a GPU.
        out: folder of the outputs.
        store: where completed runs are kept, a folder or an fsspec address; None takes ``runs`` in ``out``.
        keep_dropped: use the dialogues that some tables leave out.
        stacked: whether to train all seeds of an arm as one program; None: only on a GPU.
        cluster: a Ray cluster to train on.
    """

    profile: str = "quick"
    protocol: str = "paper"
    seeds: str | Sequence[int] | None = None
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


def prepare(tables: Sequence[str], options: Options) -> tuple[Plan, CommandContext]:
    """Resolve names and options; nothing is trained or written.

    Raises:
        UnknownTable, InvalidDefinition, BadSeeds, MissingDevice, MissingStream, and every error of ``corpus.load``.
    """
    found = tuple(definitions.table(name) for name in tables)
    profile = profiles.profile(options.profile)
    protocol = protocols.protocol(options.protocol)
    seeds = _seeds(options.seeds, profile.seeds)
    device = local.resolve_device(options.device)
    corpus, source = _corpus(options, profile.corpus)
    require(corpus, ())  # requirements of all tables first, then those of single rows
    kept, left_out = requirements.parted(found, corpus)
    # On CPUs, training all seeds as one program gains little and loses with many seeds: see docs/results/training.
    stacked = device == "cuda" if options.stacked is None else options.stacked
    keep = options.keep_dropped
    plan = Plan(kept, corpus, source, profile, protocol, seeds, device, options.precision, stacked, keep, left_out)
    for reduced in plan.corpora:
        require(reduced, ())
    jobs = options.jobs or (1 if device == "cuda" else local.cores())
    # Absolute, because workers may have another working folder.
    store = open_store(options.store, options.out.resolve() / "runs")
    return plan, CommandContext(jobs, options.out, store, options.cluster)


def _seeds(chosen: str | Sequence[int] | None, default: tuple[int, ...]) -> tuple[int, ...]:
    if chosen is None:
        return default
    return profiles.parse_seeds(chosen if isinstance(chosen, str) else ",".join(map(str, chosen)) + ",")


def _corpus(options: Options, default: str) -> tuple[Corpus, Source]:
    if isinstance(options.data, Corpus):
        return options.data, Source(options.data.name)
    name = default if options.data is None else str(options.data)
    # Absolute, for commands that load the same corpus later from another working folder.
    folder = None if options.data_dir is None else str(options.data_dir.resolve())
    source = Source(name if name in catalogue() else str(Path(name).resolve()), folder)
    return load(name, options.data_dir), source
