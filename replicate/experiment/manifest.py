"""``manifest.json``: everything needed to repeat, report and export a set of tables, as typed dataclasses."""

from __future__ import annotations

import json
import platform
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from replicate import __version__
from replicate.errors import NotThisFormat, OtherFormat
from replicate.experiment.plan import Plan, Source
from replicate.experiment.results_folder import MANIFEST
from replicate.files import write_text
from replicate.limits import shown
from replicate.machine import cores, processor
from replicate.metrics import DEFAULT
from replicate.provenance import check_commit, in_words
from replicate.records import (
    FINITE,
    check_among,
    check_format,
    check_names,
    check_paths,
    check_range,
    convert,
    read_json,
)
from replicate.runner.failures import FailedRun
from replicate.store import open_store
from replicate.store.store import Store
from replicate.store.versions import code_version
from replicate.training.config import Precision

# Increase it whenever the previous version could not read the manifests of this one. Manifests without a number are
# older than format 2.
FORMAT = 2

# More seeds, or tables, than anybody trains.
MOST_SEEDS = 10_000
_PACKAGES = ("torch", "torch-geometric", "numpy", "scipy", "scikit-learn", "onnx", "onnxruntime")


@dataclass(frozen=True)
class CorpusSummary:
    """The corpus of all tables; single tables may leave out dialogues."""

    name: str
    hash: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Machine:
    """The machine that trained last."""

    system: str
    processor: str | None
    cores: int | None

    @classmethod
    def this(cls) -> Machine:
        """Return a description of this machine."""
        return cls(platform.platform(), processor(), cores())


@dataclass(frozen=True)
class Manifest:
    """The content of ``manifest.json``.

    Attributes:
        command: the command that repeats the tables.
        config_dirs: folders of the user's own definitions and plugins (``--config-dir``).
        runs: keys of all runs, teachers before students.
        failed: the runs among them that could not be trained.
        deployable: keys of the runs that can be exported.
        store: folder of the runs, relative to the manifest.
        store_address: the address that the folder is a cache of, if there is one.
        wall_seconds: wall time of training in the command that wrote the manifest.
        training_seconds: training time of all runs, whenever they were trained.
        versions: None for packages that are not installed.
        folds, metric: see ``Plan``. test_splits: ids of the test dialogues of every fold, by the fold's title.
        privileged: the privileged streams as ``--privileged`` takes them; None in the manifest of an earlier version,
            for the corpus's default.
        earlier_runs: keys of the runs of tables that a command with other seeds, or on another device, has replaced in
            this folder. ``replicate runs prune --unused`` keeps them.
        git_commit, git_clean: of the code of the command, see ``replicate.provenance.Revision``; each run's record
            names those that it was trained by.
        builds: how the libraries were built that trained the runs, see ``replicate.provenance.joined``; empty where no
            run's record tells.
    """

    format: int
    tables: tuple[str, ...]
    corpus: CorpusSummary
    protocol: str
    profile: str
    seeds: tuple[int, ...]
    keep_dropped: bool
    command: str
    source: Source
    config_dirs: tuple[str, ...]
    runs: tuple[str, ...]
    failed: tuple[FailedRun, ...]
    deployable: tuple[str, ...]
    store: str
    store_address: str | None
    device: str
    precision: Precision
    stacked: bool
    jobs: int
    wall_seconds: float
    training_seconds: float
    machine: Machine
    versions: dict[str, str | None]
    earlier_runs: tuple[str, ...] = ()
    privileged: str | None = None
    folds: str = ""
    metric: str = DEFAULT
    test_splits: dict[str, tuple[str, ...]] = field(default_factory=dict)
    git_commit: str | None = None
    git_clean: bool | None = None
    builds: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_names(self, "tables", "protocol", "profile", "runs", "deployable", "earlier_runs", "versions", "folds")
        check_commit(self.git_commit)
        check_names(self, "metric", "test_splits", "builds", *(["privileged"] if self.privileged is not None else []))
        check_paths(self, "store", "store_address", "config_dirs")
        check_paths(self.source, "data", "data_dir")
        check_among(self, "device", ("cpu", "cuda"))
        check_range(self, 0, 2**64 - 1, "seeds")
        check_range(self, 1, 2**31, "jobs")
        check_range(self, 0, FINITE, "wall_seconds", "training_seconds")
        if not 1 <= len(self.seeds) <= MOST_SEEDS or not 1 <= len(self.tables) <= MOST_SEEDS:
            raise ValueError(f"it names {len(self.seeds)} seeds and {len(self.tables)} tables, not 1 to {MOST_SEEDS}")
        unknown = {*self.deployable} - {*self.runs}
        if unknown:
            raise ValueError(f"run {shown(min(unknown))} is not among its runs")

    @classmethod
    def load(cls, folder: Path) -> Manifest:
        """Read the manifest of a results folder.

        Raises:
            NotThisFormat: there is none, it cannot be read, or a value has the wrong type. OldFormat, NewerFormat:
            another version wrote it.
        """
        path = folder / MANIFEST
        try:
            content = read_json(path)
            check_format(content, FORMAT, path)
            return convert(content, cls)
        except (OSError, ValueError) as error:
            raise NotThisFormat(f"cannot read {path} ({error}): run the table again") from error

    @classmethod
    def find(cls, folder: Path) -> Manifest | None:
        """Return the manifest of a folder; None where ``load`` would fail."""
        try:
            return cls.load(folder)
        except (NotThisFormat, OtherFormat):
            return None

    @property
    def revision(self) -> str:
        """The commit of the code in words; manifests of earlier versions name none, and no builds."""
        return in_words(self.git_commit, self.git_clean) if self.git_commit or self.builds else "not recorded"

    def open_store(self, folder: Path) -> Store:
        """Open the store of the runs; ``folder`` is the folder of the manifest."""
        return open_store(self.store_address, folder / self.store)

    def save(self, folder: Path) -> None:
        """Write ``manifest.json`` into a results folder.

        Raises:
            DiskFull, CannotWrite: naming the file.
        """
        write_text(folder / MANIFEST, json.dumps(asdict(self), indent=1) + "\n")


def corpus_of(plan: Plan) -> CorpusSummary:
    """Return a summary of a plan's corpus."""
    return CorpusSummary(plan.corpus.name, plan.corpus.hash, plan.corpus.notes)


def installed_versions() -> dict[str, str | None]:
    """Return versions of this package, its code, Python, and the packages that numbers depend on."""
    ours = {"replicate": __version__, "code": code_version(), "python": platform.python_version()}
    return ours | {name: _version(name) for name in _PACKAGES}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
