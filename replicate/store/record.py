"""``run.json``: everything about a completed run except its weights and predictions, as typed dataclasses."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from replicate.errors import CorruptRun
from replicate.model.config import ModelConfig
from replicate.records import check_format, convert, format_number
from replicate.store.versions import FORMAT
from replicate.training.model_defaults import ModelDefaults

if TYPE_CHECKING:  # these import torch, which commands that only look at runs do without
    from replicate.training.config import Arm, Protocol

CHECKPOINT, PREDICTIONS, RECORD = "checkpoint.safetensors", "predictions.npz", "run.json"


@dataclass(frozen=True)
class ArmRecord:
    """The arm of a run as it was trained; the attributes are those of ``Arm``.

    Attributes:
        distillation: for an arm with a distillation method, its name under "method", and its settings. They are not
            typed, so that a record can be read where the method's plugin is not installed.
    """

    name: str
    train: str
    contexts: tuple[str, ...]
    select: str
    masked: bool
    audio: str
    teacher: ArmRecord | None
    unimodal_teachers: tuple[ArmRecord, ...]
    distillation: dict[str, Any] | None
    context_layers: int
    gnn_heads: int
    window: tuple[int, int]
    dropout: float
    context: str
    causal: bool
    memory: int
    fusion: str = "early"  # the record of an earlier version lacks this and the following
    dialogue_share: float = 1.0
    label_noise: float = 0.0
    epoch_share: float = 1.0
    privileged_noise: float = 0.0

    @classmethod
    def of(cls, arm: Arm) -> ArmRecord:
        """Return the record of an arm and of its teachers."""
        return cls(
            arm.name,
            arm.train,
            arm.contexts,
            arm.select,
            arm.masked,
            arm.audio,
            None if arm.teacher is None else cls.of(arm.teacher),
            tuple(map(cls.of, arm.unimodal_teachers)),
            None if arm.method is None else asdict(arm.method),
            arm.model.context_layers,
            arm.model.gnn_heads,
            arm.window,
            arm.model.dropout,
            arm.context,
            arm.causal,
            arm.memory,
            arm.fusion,
            arm.dialogue_share,
            arm.label_noise,
            arm.epoch_share,
            arm.privileged_noise,
        )

    @property
    def teachers(self) -> tuple[ArmRecord, ...]:
        """All arms that this one is distilled from, in the order of ``RunRecord.teacher_runs``."""
        return (*([] if self.teacher is None else [self.teacher]), *self.unimodal_teachers)


@dataclass(frozen=True)
class ProtocolRecord:
    """The protocol of a run; the attributes are those of ``Protocol``.

    Attributes:
        masking: settings of the masking strategy, not typed for the same reason as ``ArmRecord.distillation``.
        model: layers, heads and dropout of arms that set none themselves; the values of the run are in ``ArmRecord``.
            In a record of an earlier version, in which arms set all of them, the defaults.
    """

    name: str
    attend_padding: bool
    triplet: str
    masking: dict[str, Any]
    hubert: dict[str, Any]
    model: ModelDefaults = field(default_factory=ModelDefaults)

    @classmethod
    def of(cls, protocol: Protocol) -> ProtocolRecord:
        """Return the record of a protocol."""
        return cls(**asdict(protocol) | {"model": protocol.model})


@dataclass(frozen=True)
class BudgetRecord:
    """The budget of a run; the attributes are those of ``Budget``."""

    epochs: int
    batch: int
    learning_rate: float
    weight_decay: float
    feed_forward: int
    steps: int = 0  # the record of an earlier version lacks it


@dataclass(frozen=True)
class EpochRecord:
    """One line of a learning curve; the attributes are those of ``replicate.training.trainer.Epoch``."""

    epoch: int
    train_loss: float
    dev_loss: float
    dev_f1: float
    learning_rate: float
    logged: dict[str, float] = field(default_factory=dict)


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

    def __post_init__(self) -> None:
        if not 1 <= self.best_epoch <= len(self.curve):
            raise ValueError(f"best_epoch {self.best_epoch} is not an epoch of a curve of {len(self.curve)}")
        if len(self.teacher_runs) != len(self.arm.teachers):
            raise ValueError(f"teacher_runs has {len(self.teacher_runs)} keys for {len(self.arm.teachers)} teachers")

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


def load_json(folder: Path) -> dict[str, Any]:
    """Return the content of a run folder's ``run.json``, whatever its format.

    Raises:
        CorruptRun: it cannot be read, or is not a JSON object.
    """
    try:
        content = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise corrupt(folder, f"{RECORD}: {error}") from error
    if not isinstance(content, dict):
        raise corrupt(folder, f"{RECORD}: expected a JSON object, got {type(content).__name__}")
    return content


def digest(content: Mapping[str, Any]) -> str:
    """Return the hash of a record's content, without the hash in it."""
    content = {name: value for name, value in content.items() if name != "sha256"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def corrupt(folder: Path, reason: str) -> CorruptRun:
    """Return the error that names a damaged run folder."""
    return CorruptRun(f"run folder {folder} is damaged ({reason}): --repair trains it again")
