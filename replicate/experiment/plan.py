"""What a command trains: tables on one corpus, under one protocol and profile, from listed seeds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from replicate.config import requirements
from replicate.config import tables as definitions
from replicate.config.privileged import PAPER, choice
from replicate.config.profiles import Profile
from replicate.config.tables import Row, Table
from replicate.config.widths import resized
from replicate.corpus.folds import Fold, folds
from replicate.corpus.leave_out import leave_out
from replicate.corpus.types import Corpus
from replicate.metrics import DEFAULT
from replicate.runner.tasks import Task, TaskGraph
from replicate.training.config import Arm, Precision, Protocol, RunSpec


@dataclass(frozen=True)
class Source:
    """Where a corpus comes from, as ``corpus.load`` takes it from any working folder.

    Attributes:
        data: name or absolute path.
        data_dir: folder with the files of a named corpus.
    """

    data: str
    data_dir: str | None = None


@dataclass(frozen=True)
class Plan:
    """Everything that decides which runs are trained and what their numbers are.

    Attributes:
        privileged: letters of the privileged streams, with which its tables were read; empty for none.
        left_out: tables that were requested, but of which no row can be trained on this corpus.
        device: "cpu" or "cuda"; it is part of the key of a run.
        precision: see ``RunSpec``.
        stacked: whether all seeds of an arm are trained as one program, where the arm allows it.
        keep_dropped: whether to use the dialogues that tables leave out by default.
        folds: how the dialogues are divided for cross-validation, see ``replicate.corpus.folds``; "" keeps the splits
            of the corpus.
        metric: what tables show; it decides no run.
    """

    tables: tuple[Table, ...]
    corpus: Corpus
    source: Source
    profile: Profile
    protocol: Protocol
    seeds: tuple[int, ...]
    device: str
    precision: Precision = "float32"
    stacked: bool = False
    keep_dropped: bool = False
    left_out: tuple[Table, ...] = ()
    privileged: str = PAPER
    folds: str = ""
    metric: str = DEFAULT

    @property
    def privileged_choice(self) -> str:
        """The privileged streams as ``--privileged`` takes them."""
        return choice(self.privileged)

    @property
    def tasks(self) -> dict[str, Task]:
        """All runs by key, teachers before students."""
        return self.graph.tasks

    @cached_property
    def graph(self) -> TaskGraph:
        """All runs, each once, seed by seed; ``order.table_by_table`` decides in which order they are trained."""
        titles = {fold.corpus.hash: fold.title for table in self._and_companion_tables for fold in self.folds_of(table)}
        return TaskGraph(self._wanted(), self.device, titles)

    def corpus_of(self, table: Table) -> Corpus:
        """Return the corpus without the dialogues that the table leaves out, and with its dev split cut again."""
        ids = self._left_out(table)
        if ids not in self._reduced:
            self._reduced[ids] = leave_out(self.corpus, ids)
        return self._reduced[ids]

    def folds_of(self, table: Table) -> tuple[Fold, ...]:
        """Return the folds of a table, none for the splits of the corpus.

        Raises:
            BadFolds, MissingClass: the corpus does not allow them.
        """
        ids = self._left_out(table)
        if self.folds and ids not in self._folds:
            self._folds[ids] = folds(self.corpus, self.folds, ids)
        return self._folds.get(ids, ())

    def test_splits(self) -> dict[str, tuple[str, ...]]:
        """Return the ids of the test dialogues of every fold, before tables leave some out, by the fold's title."""
        made = folds(self.corpus, self.folds) if self.folds else ()
        return {fold.title: tuple(dialogue.id for dialogue in fold.corpus.split("test")) for fold in made}

    def corpora_of(self, table: Table) -> tuple[Corpus, ...]:
        """Return what every seed of a row is trained on: the corpora of the folds, or the one corpus."""
        return tuple(fold.corpus for fold in self.folds_of(table)) or (self.corpus_of(table),)

    @cached_property
    def corpora(self) -> tuple[Corpus, ...]:
        """The corpora of all tables and folds, each once."""
        every = (corpus for table in self._and_companion_tables for corpus in self.corpora_of(table))
        return tuple({corpus.hash: corpus for corpus in every}.values())

    def spec(self, table: Table, row: Row, seed: int) -> RunSpec:
        """Return the run of a row from one seed."""
        spec = self.run_of(row.arm, table.protocol_of(row, self.protocol), seed)
        return resized(spec, row.feed_forward, row.teacher_feed_forward)

    def run_of(self, arm: Arm, protocol: Protocol, seed: int) -> RunSpec:
        """Return the run of an arm under a protocol from one seed, in a seed group where that is possible."""
        stacked = self.stacked and len(self.seeds) > 1 and arm.stackable and not protocol.attend_padding
        seed_group = tuple(sorted(self.seeds)) if stacked else ()
        return RunSpec(arm, protocol, self.profile.budget, seed, self.precision, seed_group)

    def runs_of(self, table: Table) -> frozenset[str]:
        """Return keys of the runs that a table needs: of its rows, of its companion's, and of all their teachers."""
        wanted = (each for seed in self.seeds for one in _with_companion(table) for each in self._wanted_by(one, seed))
        own = {self.graph.key(spec, corpus) for spec, corpus in wanted}
        return frozenset(own | self.graph.all_teachers(own))

    def deployable(self) -> list[str]:
        """Keys of the runs that can be exported: those tested on audio alone, with a model that allows it.

        Runs under another protocol than the plan's, or on a part of the corpus, only serve their table. Models of
        HuBERT features in the order of the release are left out, because there the features of an utterance belong to
        another utterance. Runs of folds are left out, because each was trained without some of the dialogues.
        """
        if self.folds:
            return []
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

    def _left_out(self, table: Table) -> frozenset[str]:
        return frozenset() if self.keep_dropped else frozenset(table.leave_out)

    @cached_property
    def _folds(self) -> dict[frozenset[str], tuple[Fold, ...]]:
        """Folds by the dialogues that are left out."""
        return {}

    @cached_property
    def _reduced(self) -> dict[frozenset[str], Corpus]:
        """Corpora by the dialogues that are left out, so that each is made and hashed once."""
        return {}

    @cached_property
    def _and_companion_tables(self) -> tuple[Table, ...]:
        others = (each for table in self.tables for each in _with_companion(table)[1:])
        return (*self.tables, *others)

    def _wanted(self) -> Iterator[tuple[RunSpec, Corpus]]:
        for seed in self.seeds:
            for table in self._and_companion_tables:
                yield from self._wanted_by(table, seed)

    def _wanted_by(self, table: Table, seed: int) -> Iterator[tuple[RunSpec, Corpus]]:
        lacking = requirements.lacking(table.rows, self.corpus)
        for corpus in self.corpora_of(table):
            for row in table.rows:
                if row.name not in lacking:
                    yield self.spec(table, row, seed), corpus


def _with_companion(table: Table) -> tuple[Table, ...]:
    """Return a table and the companion whose cells are printed next to it, if there is one."""
    return (table,) if table.companion is None else (table, definitions.companion_table(table))
