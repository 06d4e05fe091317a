"""Everything that one call of ``replicate run`` needs, resolved and checked before anything is trained."""

from __future__ import annotations

import json
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path

from replicate.corpus import CATALOGUE, load
from replicate.corpus.types import Corpus
from replicate.experiment import definitions, results, schedule
from replicate.experiment.definitions import Profile, Table
from replicate.experiment.store import Store, run_key
from replicate.training.data import require
from replicate.training.settings import Protocol, RunSpec


@dataclass(frozen=True)
class Campaign:
    """Tables on one corpus under one protocol and profile."""

    tables: tuple[Table, ...]
    corpus: Corpus
    profile: Profile
    protocol: Protocol
    seeds: tuple[int, ...]
    device: str
    jobs: int
    out: Path
    source: tuple[str, str | None]

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
    ) -> Campaign:
        """Resolve what the user typed.

        Raises:
            UnknownTable, BadTable, BadSeeds, MissingDevice, MissingStream, and every error of ``corpus.load``.
        """
        found = tuple(definitions.table(name) for name in tables)
        budget = definitions.profile(profile)
        reading = definitions.protocol(protocol)
        chosen = definitions.parse_seeds(seeds) if seeds is not None else budget.seeds
        place = schedule.resolve_device(device)
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        jobs = jobs or (1 if place == "cuda" else cores)
        # Remembered for those who load the same corpus later (export, benchmark), from wherever they start.
        name = budget.corpus if data is None else data
        folder = None if data_dir is None else str(data_dir.resolve())
        source = (name if name in CATALOGUE else str(Path(name).resolve()), folder)
        corpus = load(name, data_dir)
        campaign = cls(found, corpus, budget, reading, chosen, place, jobs, out, source)
        for spec in campaign.specs():
            require(corpus, spec.arm.streams)
        return campaign

    @property
    def folder(self) -> Path:
        """Where tables, figures and the manifest go."""
        # A corpus file may carry any name; only a plain one may become a folder.
        corpus = re.sub(r"[^\w.-]+", "-", self.corpus.name).strip(".-") or "corpus"
        kind = f"{self.profile.name}-{self.protocol.name}"
        plain = self.out / corpus / kind
        # Two corpora may share a name; the second must not write over the tables of the first.
        return (
            plain
            if _measured_on(plain) in (None, self.corpus.hash)
            else (self.out / f"{corpus}-{self.corpus.hash[:8]}" / kind)
        )

    @property
    def store(self) -> Store:
        """Where finished runs are kept."""
        return Store(self.out / "runs")

    def specs(self) -> list[RunSpec]:
        """All runs that the tables need; an arm that two tables name is there once."""
        return list(
            dict.fromkeys(
                spec for table in self.tables for spec in results.specs(table, self.profile, self.protocol, self.seeds)
            )
        )

    def keys(self) -> list[str]:
        """Keys of all runs, in the order of ``specs``."""
        return [run_key(spec, self.corpus, self.device) for spec in self.specs()]

    def seconds(self) -> list[float]:
        """How long each stored run took to train, whenever that was."""
        runs = (self.store.get(key) for key in self.keys())
        return [run.record["seconds"] for run in runs if run is not None]

    def missing(self) -> list[RunSpec]:
        """The runs that are still to be trained."""
        return schedule.missing(self.specs(), self.corpus, self.store, self.device)

    def describe(self, todo: int) -> str:
        """One line on what is about to happen."""
        total = len(self.specs())
        return (
            f"{', '.join(table.name for table in self.tables)} on {self.corpus.name}: {total} runs, "
            f"{total - todo} finished, {todo} to train ({self.profile.budget.epochs} epochs each, "
            f"{self.device}, {min(self.jobs, max(todo, 1))} at a time)"
        )

    def train(self, todo: list[RunSpec], listen: schedule.Listener) -> float:
        """Train ``todo``; returns the seconds it took."""
        if todo:
            self.store.probe()
        began = time.perf_counter()
        schedule.run_all(todo, self.corpus, self.store, self.device, self.jobs, listen)
        return time.perf_counter() - began

    def results(self) -> list[results.TableResult]:
        """The finished tables."""
        return [
            results.collect(table, self.profile, self.protocol, self.seeds, self.corpus, self.store, self.device)
            for table in self.tables
        ]


def _measured_on(folder: Path) -> str | None:
    """Hash of the corpus that the tables in a results folder were measured on, None where there are none."""
    try:
        return str(json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["corpus"]["hash"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
