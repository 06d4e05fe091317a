"""Under which conditions a results folder was measured, from its manifest or from the copy of it in docs/results/."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from replicate.errors import NotThisFormat
from replicate.expected.lines import file_of
from replicate.experiment.manifest import FORMAT as MANIFEST_FORMAT
from replicate.experiment.results_folder import MANIFEST, ORIGIN
from replicate.files import write_text
from replicate.metrics import DEFAULT
from replicate.records import FINITE, check_format, check_names, check_range, convert, read_json

FORMAT = 1
# Libraries whose other version may change the last digits of a score.
LIBRARIES = ("torch", "torch-geometric", "numpy", "scipy", "scikit-learn")


@dataclass(frozen=True)
class Conditions:
    """What decides the numbers of a results folder, as far as it was recorded.

    Attributes:
        privileged, processor, commit: None where they were not recorded.
        clean: whether nothing was changed since the commit, None where that was not recorded.
        builds: how the libraries were built; empty where that was not recorded.
        training_seconds: of all runs; two folders with the same are of the same training.
    """

    format: int
    corpus: str
    corpus_hash: str
    protocol: str
    profile: str
    seeds: tuple[int, ...]
    device: str
    precision: str
    training_seconds: float
    versions: dict[str, str | None]
    privileged: str | None = None
    folds: str = ""
    metric: str = DEFAULT
    processor: str | None = None
    commit: str | None = None
    clean: bool | None = None
    builds: dict[str, str] = field(default_factory=dict)
    tables: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_names(self, "corpus", "corpus_hash", "protocol", "profile", "folds", "metric", "device", "precision")
        check_names(self, "versions", "builds", "tables")
        for name in ("privileged", "processor", "commit"):
            if getattr(self, name) is not None:
                check_names(self, name)
        check_range(self, 0, 2**64 - 1, "seeds")
        check_range(self, 0, FINITE, "training_seconds")

    @property
    def code(self) -> str:
        """The commit that trained, else the hash of the code that all runs use, as far as they were recorded."""
        if self.commit:
            return f"commit {self.commit[:12]}"
        version = self.versions.get("code")
        return f"code {version}" if version else "code that was not recorded"

    def same_code(self, other: Conditions) -> bool:
        """Return whether two folders were trained by the same code, by its hash or else by its commit."""
        versions = self.versions.get("code"), other.versions.get("code")
        return versions[0] == versions[1] if all(versions) else bool(self.commit) and self.commit == other.commit

    def measured_alike(self, other: Conditions) -> bool:
        """Return whether two folders hold the same kind of numbers, whatever the seeds and the machine."""
        names = ["corpus_hash", "protocol", "profile", "folds", "metric"]
        names += ["privileged"] if self.privileged and other.privileged else []
        return all(getattr(self, name) == getattr(other, name) for name in names)

    def differences(self, other: Conditions) -> list[str]:
        """Return why the numbers of two folders need not be equal, in words; none if they have to be equal."""
        found = ["other seeds"] if self.seeds != other.seeds else []
        for name in ("processor", "device", "precision"):
            one, two = getattr(self, name), getattr(other, name)
            if not one or not two:
                found.append(f"{name} not recorded")
            elif one != two:
                found.append(f"another {name}")
        for name in LIBRARIES:
            one, two = self.versions.get(name), other.versions.get(name)
            if not one or not two:
                found.append(f"version of {name} not recorded")
            elif one != two:
                found.append(f"another version of {name}")
        if self.builds and other.builds and self.builds != other.builds:
            found.append("other builds of libraries")
        return found

    def save(self, folder: Path) -> Path:
        """Write ``origin.json``, which names no folder of the machine."""
        write_text(folder / ORIGIN, json.dumps(asdict(self), indent=1) + "\n")
        return folder / ORIGIN


@dataclass(frozen=True)
class _Corpus:
    name: str
    hash: str


@dataclass(frozen=True)
class _Machine:
    processor: str | None


@dataclass(frozen=True)
class _Manifest:
    corpus: _Corpus
    protocol: str
    profile: str
    seeds: tuple[int, ...]
    device: str
    precision: str
    training_seconds: float
    versions: dict[str, str | None]
    machine: _Machine
    tables: tuple[str, ...]
    privileged: str | None = None
    folds: str = ""
    metric: str = DEFAULT
    git_commit: str | None = None
    git_clean: bool | None = None
    builds: dict[str, str] = field(default_factory=dict)


def of_manifest(folder: Path) -> Conditions:
    """Return the conditions in a folder's ``manifest.json``.

    Raises:
        OSError, ValueError: it cannot be read. OldFormat, NewerFormat: of another version.
    """
    content = read_json(folder / MANIFEST)
    check_format(content, MANIFEST_FORMAT, folder / MANIFEST)
    found = convert(content, _Manifest)
    fields: dict[str, Any] = {name: getattr(found, name) for name in _Manifest.__dataclass_fields__}
    corpus, machine = fields.pop("corpus"), fields.pop("machine")
    fields |= {"commit": fields.pop("git_commit"), "clean": fields.pop("git_clean")}
    return Conditions(format=FORMAT, corpus=corpus.name, corpus_hash=corpus.hash, processor=machine.processor, **fields)


@dataclass(frozen=True)
class _Table:
    metric: str


def _shown_metric(folder: Path, found: Conditions) -> str:
    """Return the metric of a folder's tables, which ``replicate report --metric`` changes without the manifest."""
    path = next((path for name in found.tables if (path := file_of(folder, name, ".json"))), None)
    try:
        return convert(read_json(path), _Table).metric if path else found.metric
    except (OSError, ValueError) as error:
        raise NotThisFormat(f"cannot read {path} ({error}): write it again with `replicate report`") from error


def conditions(folder: Path) -> Conditions:
    """Return the conditions of a results folder, or of a copy of one in docs/results/.

    Raises:
        NotThisFormat: it has neither file, or it cannot be read. OldFormat, NewerFormat: of another version.
    """
    path = folder / MANIFEST
    try:
        if path.exists():
            found = of_manifest(folder)
            return replace(found, metric=_shown_metric(folder, found))
        path = folder / ORIGIN
        content = read_json(path)
        check_format(content, FORMAT, path)
        return convert(content, Conditions)
    except FileNotFoundError as error:
        raise NotThisFormat(f"{folder} has no {MANIFEST}: give a folder that `replicate run` wrote") from error
    except (OSError, ValueError) as error:
        raise NotThisFormat(f"cannot read {path} ({error}): run the tables again") from error
