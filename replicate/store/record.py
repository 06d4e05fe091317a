"""``run.json``: everything about a completed run except its weights and predictions, as typed dataclasses."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from replicate import escape
from replicate.errors import CorruptRun
from replicate.limits import MOST, MOST_LAYERS, shortened, shown
from replicate.model.config import ModelConfig
from replicate.provenance import Provenance
from replicate.records import (
    FINITE,
    check_among,
    check_blank,
    check_format,
    check_names,
    check_range,
    check_settings,
    convert,
    format_number,
    read_json,
)
from replicate.store.settings_records import ArmRecord, BudgetRecord, ProtocolRecord
from replicate.store.versions import FORMAT

# Names of run folders; a teacher's never leads out of the store.
_FOLDER = re.compile(r"[\w-]{1,64}")
_HASH = re.compile(r"[0-9a-f]{64}")

_REMEDY = ": --repair trains it again"
CHECKPOINT, PREDICTIONS, RECORD = "checkpoint.safetensors", "predictions.npz", "run.json"


@dataclass(frozen=True)
class EpochRecord:
    """One line of a learning curve; the attributes are those of ``replicate.training.trainer.Epoch``."""

    epoch: int
    train_loss: float
    dev_loss: float
    dev_f1: float
    learning_rate: float
    logged: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # Not check_range, because a curve has many of these.
        finite = -FINITE <= self.train_loss <= FINITE  # dev loss may be infinite where a class has no probability
        if not (finite and self.epoch >= 1 and 0 <= self.dev_f1 <= 1 and 0 <= self.learning_rate <= FINITE):
            raise ValueError(f"impossible numbers in epoch {self.epoch}")
        if not all(map(str.isprintable, self.logged)):
            raise ValueError(f"unprintable names in epoch {self.epoch}")


@dataclass(frozen=True)
class CorpusRecord:
    """The corpus that a run was trained on.

    Attributes:
        hash: of everything in the corpus that decides a run's numbers.
        recipes: how the run's streams were extracted from recordings, by stream, where that is known.
        speakers: names in the order of their numbers; empty in the record of an earlier version.
    """

    name: str
    hash: str
    labels: tuple[str, ...]
    recipes: dict[str, dict[str, Any]]
    speakers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_names(self, "name", "labels", "recipes", "speakers")
        check_settings(self, "recipes")
        if not _HASH.fullmatch(self.hash):
            raise ValueError(f"hash = {shown(self.hash)} is no SHA-256")
        check_blank(self, "name", "labels", "speakers")
        if not 1 <= len(self.labels) <= MOST_LAYERS or len(set(self.labels)) < len(self.labels):
            raise ValueError(f"its {len(self.labels)} labels are none, over {MOST_LAYERS}, or repeated")


@dataclass(frozen=True)
class RunRecord:
    """The content of ``run.json``.

    Attributes:
        key: name of the run's folder.
        seed_group: seeds of the runs that were trained with this one as one program; empty for a run alone.
        teacher_runs: keys of the teachers' runs, in the order of ``ArmRecord.teachers``.
        streams: the model's input streams, in order.
        best_epoch: the epoch with the best dev F1, counted from 1, which the weights are from.
        curve: one entry per epoch.
        device: "cpu" or "cuda".
        versions: of the code, torch and torch_geometric.
        seconds: wall time of training; for a run of a seed group, its share of the group's time.
        files: SHA-256 of the run's other files by name.
        sha256: of the record itself without this key.
        provenance: None in the record of an earlier version.
    """

    format: int
    key: str
    arm: ArmRecord
    protocol: ProtocolRecord
    budget: BudgetRecord
    seed: int
    precision: str
    seed_group: tuple[int, ...]
    teacher_runs: tuple[str, ...]
    streams: tuple[str, ...]
    model: ModelConfig
    best_epoch: int
    curve: tuple[EpochRecord, ...]
    corpus: CorpusRecord
    device: str
    versions: dict[str, str]
    seconds: float
    files: dict[str, str]
    sha256: str
    provenance: Provenance | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.best_epoch <= len(self.curve):
            raise ValueError(f"best_epoch {self.best_epoch} is not an epoch of a curve of {len(self.curve)}")
        if len(self.teacher_runs) != len(self.arm.teachers):
            raise ValueError(f"teacher_runs has {len(self.teacher_runs)} keys for {len(self.arm.teachers)} teachers")
        for name, pattern, texts in (
            ("key", _FOLDER, (self.key, *self.teacher_runs)),
            ("files", _HASH, self.files.values()),
        ):
            wrong = [text for text in texts if not pattern.fullmatch(text)]
            if wrong:
                raise ValueError(f"{name} has {shown(wrong[0])}, which is no {name} of a run")
        check_names(self, "streams", "versions", "files")
        check_blank(self, "streams", "versions")
        if [epoch.epoch for epoch in self.curve] != [*range(1, len(self.curve) + 1)]:
            raise ValueError("the epochs of its curve are not numbered from 1")
        if {*self.files} != {CHECKPOINT, PREDICTIONS}:
            raise ValueError(f"files names {len(self.files)} files, which are not {CHECKPOINT} and {PREDICTIONS}")
        if any("A" in context for context in self.arm.contexts) and self.arm.audio not in self.streams:
            raise ValueError(f"its arm takes {shown(self.arm.audio)}, which is none of its streams")
        check_among(self, "device", ("cpu", "cuda"))
        check_among(self, "precision", ("float32", "bf16"))
        check_range(self, 0, 2**64 - 1, "seed", "seed_group")
        check_range(self, 0, FINITE, "seconds")
        _check_model(self.model, self.corpus)

    @property
    def best(self) -> EpochRecord:
        """The epoch that the weights are from."""
        return self.curve[self.best_epoch - 1]

    @classmethod
    def load(cls, folder: Path) -> RunRecord:
        """Read the record of a run folder and check it against its own hash; no other file is read.

        Raises:
            CorruptRun: it is missing, has changed since it was written, or a value has the wrong type.
            OldFormat, NewerFormat: another version wrote it.
        """
        content = load_json(folder)
        try:
            # How a newer version hashes its records is unknown; older ones hashed as this one does.
            if format_number(content) <= FORMAT and content.get("sha256") != digest(content):
                raise ValueError(f"{RECORD} has changed since it was written")
            check_format(content, FORMAT, f"run folder {folder}")
            return convert(content, cls)
        except ValueError as error:
            raise corrupt(folder, str(error)) from error

    def save(self, folder: Path) -> None:
        """Write the record into a run folder."""
        (folder / RECORD).write_text(json.dumps(self.as_json(), indent=1) + "\n", encoding="utf-8")

    def as_json(self) -> dict[str, Any]:
        """Return the content of ``run.json``."""
        return asdict(self)


def _check_model(model: ModelConfig, corpus: CorpusRecord) -> None:
    """Check the sizes of a model, which decide what it takes in memory, and compare them with its corpus."""
    check_range(model, 1, MOST, "width", "hidden", "feed_forward", "encoder_heads", "stream_widths")
    check_range(model, 0, MOST, "past", "future", "projected", "decoupled", "hallucinated", "memory")
    check_range(model, 1, MOST_LAYERS, "context_layers", "gnn_heads", "speakers")
    check_range(model, 0, 1, "dropout")
    check_names(model, "context")
    if model.classes != len(corpus.labels):
        raise ValueError(f"model.classes = {model.classes} where the corpus has {len(corpus.labels)} labels")
    if corpus.speakers and model.speakers != len(corpus.speakers):
        raise ValueError(f"model.speakers = {model.speakers} where the corpus has {len(corpus.speakers)} speakers")


def load_json(folder: Path) -> dict[str, Any]:
    """Return the content of a run folder's ``run.json``, whatever its format.

    Raises:
        CorruptRun: it cannot be read, or is not a JSON object.
    """
    try:
        content = read_json(folder / RECORD)
    except (OSError, ValueError) as error:
        raise corrupt(folder, f"{RECORD}: {error}") from error
    if not isinstance(content, dict):
        raise corrupt(folder, f"{RECORD}: expected a JSON object, got {type(content).__name__}")
    return content


def digest(content: Mapping[str, Any]) -> str:
    """Return the hash of a record's content, without the hash in it."""
    content = {name: value for name, value in content.items() if name != "sha256"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def corrupt(folder: Path, reason: str) -> CorruptRun:
    """Return the error that names a damaged run folder; the reason may quote its files, and becomes one short line."""
    return CorruptRun(f"run folder {folder} is damaged ({shortened(escape.line(reason))}){_REMEDY}")


def without_remedy(error: CorruptRun) -> str:
    """Return the message of ``corrupt`` where nothing can train the run again."""
    return str(error).removesuffix(_REMEDY)
