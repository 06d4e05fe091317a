"""Everything that one call of ``replicate run`` needs, resolved and checked before anything is trained."""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from replicate.config import requirements
from replicate.config import tables as definitions
from replicate.config.tables import Profile, Row, Table
from replicate.corpus import catalogue, load
from replicate.corpus.types import Corpus
from replicate.errors import BadShare
from replicate.experiment.manifest import peek
from replicate.runner import local
from replicate.runner import ray as ray_cluster
from replicate.runner.ray import Cluster
from replicate.runner.tasks import Task, graph, share
from replicate.runner.worker import ProgressCallback
from replicate.store.keys import run_key
from replicate.store.remote import RemoteStore
from replicate.store.run import Run
from replicate.store.store import Store
from replicate.training.config import Arm, Precision, Protocol, RunSpec
from replicate.training.data import require


@dataclass(frozen=True)
class Campaign:
    """Tables on one corpus under one protocol and profile.

    Attributes:
        source: name or path of the corpus and the folder of its files, as ``corpus.load`` takes them.
        keep_dropped: whether tables use the dialogues that they leave out otherwise.
        precision, stacked: how runs are trained, see ``RunSpec``; stacked is for all seeds of an arm as one program.
        cluster: where they are trained, if not in processes of this machine.
        shared: address of fsspec where runs lie, too, for other machines.
        left_out: tables that were asked for, too, but of which no row can be trained.
    """

    tables: tuple[Table, ...]
    corpus: Corpus
    profile: Profile
    protocol: Protocol
    seeds: tuple[int, ...]
    device: str
    jobs: int
    out: Path
    source: tuple[str, str | None]
    keep_dropped: bool = False
    precision: Precision = "float32"
    stacked: bool = False
    cluster: Cluster | None = None
    shared: str | None = None
    left_out: tuple[Table, ...] = ()

    @classmethod
    def prepare(
        cls,
        tables: list[str],
        profile: str,
        protocol: str,
        seeds: str | None,
        data: str | None,
        data_dir: Path | None,
        device: str,
        jobs: int | None,
        out: Path,
        keep_dropped: bool = False,
        precision: Precision = "float32",
        stacked: bool | None = None,
        cluster: Cluster | None = None,
        shared: str | None = None,
    ) -> Campaign:
        """Resolve what the user typed. Without ``stacked`` seeds train as one program on GPUs, and alone on CPUs.

        Raises:
            UnknownTable, InvalidDefinition, BadSeeds, MissingDevice, MissingStream, and every error of ``corpus.load``.
        """
        found = tuple(definitions.table(name) for name in tables)
        budget = definitions.profile(profile)
        reading = definitions.protocol(protocol)
        chosen = definitions.parse_seeds(seeds) if seeds is not None else budget.seeds
        place = local.resolve_device(device)
        jobs = jobs or (1 if place == "cuda" else local.cores())
        # Remembered for those who load the same corpus later (export, report), from wherever they start.
        name = budget.corpus if data is None else data
        folder = None if data_dir is None else str(data_dir.resolve())
        source = (name if name in catalogue() else str(Path(name).resolve()), folder)
        corpus = load(name, data_dir)
        require(corpus, ())  # first what all tables need
        found, left_out = requirements.parted(found, corpus)
        # On CPUs a stack gains little at best, and loses with many seeds: see docs/results/training.
        stacked = place == "cuda" if stacked is None else stacked
        how = (precision, stacked, cluster, shared, left_out)
        campaign = cls(found, corpus, budget, reading, chosen, place, jobs, out, source, keep_dropped, *how)
        for reduced in campaign._by_hash().values():
            require(reduced, ())
        return campaign

    def command(self) -> str:
        """The command that repeats these tables."""
        words = ["replicate", "run", *(table.name for table in self.tables), "--data", self.source[0]]
        words += [] if self.source[1] is None else ["--data-dir", self.source[1]]
        words += ["--profile", self.profile.name, "--protocol", self.protocol.name]
        words += ["--seeds", ",".join(map(str, self.seeds)) + ("," if len(self.seeds) == 1 else "")]
        words += ["--device", self.device] + (["--keep-dropped"] if self.keep_dropped else [])
        words += [] if self.precision == "float32" else ["--precision", self.precision]
        words += [] if self.stacked == (self.device == "cuda") else ["--stack" if self.stacked else "--no-stack"]
        words += ["--out", str(self.out)] if self.out != Path("results") else []
        return shlex.join(words)

    @property
    def folder(self) -> Path:
        """Where tables, figures and the manifest go."""
        # A corpus file may carry any name; only a plain one may become a folder.
        corpus = re.sub(r"[^\w.-]+", "-", self.corpus.name).strip(".-") or "corpus"
        kind = re.sub(r"[^\w.+,=-]+", "-", f"{self.profile.name}-{self.protocol.name}")
        kind += ("-keep-dropped" if self.keep_dropped else "") + ("-bf16" if self.precision == "bf16" else "")
        plain = self.out / corpus / kind
        # Two corpora may share a name; the second must not write over the tables of the first.
        return (
            plain
            if _measured_on(plain) in (None, self.corpus.hash)
            else (self.out / f"{corpus}-{self.corpus.hash[:8]}" / kind)
        )

    @cached_property
    def store(self) -> Store:
        """Where finished runs are kept."""
        folder = self.out.resolve() / "runs"  # as workers elsewhere see it
        return Store(folder) if self.shared is None else RemoteStore(folder, self.shared)

    def corpus_of(self, table: Table) -> Corpus:
        """The corpus without the dialogues that the table leaves out."""
        leave_out = frozenset() if self.keep_dropped else frozenset(table.leave_out)
        if leave_out not in self._reduced:
            self._reduced[leave_out] = self.corpus.without(leave_out)
        return self._reduced[leave_out]

    @cached_property
    def _reduced(self) -> dict[frozenset[str], Corpus]:
        """Corpora by what they are without, so that each is made and hashed once."""
        return {}

    def _by_hash(self) -> dict[str, Corpus]:
        return {corpus.hash: corpus for corpus in map(self.corpus_of, self._all_tables)}

    def spec(self, table: Table, row: Row, seed: int) -> RunSpec:
        """One run of one row."""
        return self.run_of(row.arm, table.protocol_of(row, self.protocol), seed)

    def run_of(self, arm: Arm, protocol: Protocol, seed: int) -> RunSpec:
        """One run of an arm under a reading; where padding takes part, or the arm is not stackable, it is alone."""
        stacked = self.stacked and len(self.seeds) > 1 and arm.stackable and not protocol.attend_padding
        seed_group = self.seeds if stacked else ()
        return RunSpec(arm, protocol, self.profile.budget, seed, self.precision, tuple(sorted(seed_group)))

    @cached_property
    def tasks(self) -> dict[str, Task]:
        """All runs by key, teachers before students; one that two rows need is there once.

        Seed by seed, so that early results cover all arms.
        """
        return graph(self._wanted(), self.device)

    def _wanted(self) -> Iterator[tuple[RunSpec, Corpus]]:
        for seed in self.seeds:
            for table in self._all_tables:
                corpus = self.corpus_of(table)
                lacking = requirements.lacking(table.rows, corpus)
                for row in table.rows:
                    if row.name not in lacking:
                        yield self.spec(table, row, seed), corpus

    @cached_property
    def _all_tables(self) -> tuple[Table, ...]:
        """The tables and their companion tables."""
        return self.tables + tuple(
            definitions.companion_table(table) for table in self.tables if table.companion is not None
        )

    def deployable(self) -> list[str]:
        """Keys of the runs that can be exported: transformers tested on audio alone.

        Runs that turn a knob of the protocol, or that saw a part of the corpus, only serve their table. What hears
        HuBERT features in the release's order expects of an utterance another one's.
        """
        plain = replace(self.protocol, name="")
        return [
            key
            for key, task in self.tasks.items()
            if "A" in task.spec.arm.contexts
            and (not task.spec.arm.uses_hubert or task.spec.protocol.hubert.order == "time")
            and task.spec.arm.exportable
            and replace(task.spec.protocol, name="") == plain
            and task.corpus == self.corpus.hash
        ]

    def seconds(self) -> list[float]:
        """How long each stored run took to train, whenever that was."""
        return [run.record.seconds for run in map(self.store.get, self.tasks) if run is not None]

    def missing(self, repair: bool = False, remove: bool = True) -> list[Task]:
        """The runs that are still to be trained; with ``repair``, damaged ones are removed and among them.

        Raises:
            CorruptRun: naming every damaged folder, without ``repair``.
        """
        return [self.tasks[key] for key in self.store.missing(self.tasks, repair, remove)]

    def describe(self, todo: int) -> str:
        """One line on what is about to happen."""
        total = len(self.tasks)
        return (
            f"{', '.join(table.name for table in self.tables)} on {self.corpus.name}: {total} runs, "
            f"{total - todo} finished, {todo} to train ({self.profile.budget.epochs} epochs each, "
            f"{self.device}, {self.where(todo)})"
        )

    def where(self, todo: int) -> str:
        """How many programs train at a time, in words."""
        if self.cluster is not None:
            return f"on the Ray cluster at {self.cluster.address}" if self.cluster.address else "on a Ray cluster here"
        seed_group = f", {len(self.seeds)} seeds as one program" if self.stacked and len(self.seeds) > 1 else ""
        return f"{min(self.jobs, max(todo, 1))} at a time{seed_group}"

    def remarks(self) -> list[str]:
        """What a reader should know beforehand: rows that cannot be trained, runs that another version left."""
        lines = requirements.remarks(self.tables, self.left_out, self.corpus)
        others = self.store.of_other_versions()
        if others:
            lines.append(
                f"{others} runs in {self.store.root} are of another version of the code or of torch: they are left "
                "alone (`replicate runs prune` removes them)"
            )
        return lines

    def train(self, todo: list[Task], listen: ProgressCallback) -> float:
        """Train ``todo``; returns the seconds it took."""
        if todo:
            self.store.probe()
        began = time.perf_counter()
        self.engine(todo, self._by_hash(), listen)
        return time.perf_counter() - began

    def engine(self, todo: list[Task], corpora: Mapping[str, Corpus], listen: ProgressCallback) -> None:
        """Train runs where the campaign trains."""
        if self.cluster is None:
            local.run_all(todo, corpora, self.store, self.device, self.jobs, listen)
        else:
            ray_cluster.run_all(todo, corpora, self.store, self.device, self.cluster, listen)

    def share(self, words: str) -> set[str]:
        """Keys of the share of the task list that ``words`` (K/N) asks for.

        Raises:
            BadShare: it is no share.
        """
        found = re.fullmatch(r"(\d+)/(\d+)", words)
        if found is None or not 1 <= int(found[1]) <= int(found[2]):
            raise BadShare(f"--task {words} is no share such as 3/16: it takes K/N, with K from 1 to N")
        return {task.key for task in share(list(self.tasks.values()), self._by_hash(), int(found[1]), int(found[2]))}

    def runs(self, table: Table, row: Row) -> list[Run]:
        """The finished runs of a row, seed by seed.

        Raises:
            CorruptRun: one of them is not there.
        """
        return [self.stored(self.spec(table, row, seed), self.corpus_of(table)) for seed in self.seeds]

    def stored(self, spec: RunSpec, corpus: Corpus) -> Run:
        """One finished run.

        Raises:
            CorruptRun: it is not there.
        """
        return self.store.need(run_key(spec, corpus, self.device), f"{spec.arm.name}, seed {spec.seed}")


def _measured_on(folder: Path) -> str | None:
    """Hash of the corpus that the tables in a results folder were measured on, None where there are none."""
    try:
        return str(peek(folder)["corpus"]["hash"])
    except (KeyError, TypeError):
        return None
