"""What every engine does with the runs that are one program: train and store them, one process at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from replicate.corpus.types import Corpus
from replicate.runner.tasks import Task
from replicate.store.keys import run_key
from replicate.store.store import Store
from replicate.training.config import RunSpec
from replicate.training.distillation.base import TeacherOutputs
from replicate.training.loop import compute_teacher_outputs, train_seed_group
from replicate.training.trainer import Epoch

# Tasks that one program trains: several seeds of an arm, or a single run.
Unit = tuple[Task, ...]


@dataclass(frozen=True)
class Progress:
    """What a schedule tells while it works. ``epoch`` is None when the run is in the store."""

    task: Task
    epoch: Epoch | None


ProgressCallback = Callable[[Progress], None]


def waits_for_teacher(unit: Unit, keys: Iterable[str]) -> bool:
    """Whether a teacher of the unit is among the runs with these keys, which are still to come."""
    return not {teacher for task in unit for teacher in task.teachers}.isdisjoint(keys)


def train_unit(unit: Unit, corpus: Corpus, store: Store, device: str, listen: ProgressCallback) -> bool:
    """Train and store a unit's runs; false where another process is at it.

    A stack is trained as a whole, whichever of its runs are asked for: its numbers depend on who is in it.
    """
    specs = unit[0].spec.seed_group_specs()
    keys = [run_key(spec, corpus, device) for spec in specs]
    asked = {task.spec.seed: task for task in unit}
    with store.lock(keys[0], wait=False) as ours:
        if not ours:
            return False
        if any(store.get(task.key) is None for task in unit):

            def tell(spec: RunSpec, epoch: Epoch) -> None:
                if spec.seed in asked:
                    listen(Progress(asked[spec.seed], epoch))

            teacher_outputs = [[_taught(spec, each, corpus, store, device) for each in spec.teachers] for spec in specs]
            results = train_seed_group(specs, corpus, device, tell, teacher_outputs)
            for key, spec, result in zip(keys, specs, results, strict=True):
                if store.get(key) is None:
                    teacher_runs = [run_key(each, corpus, device) for each in spec.teachers]
                    store.put(key, spec, corpus, device, result, teacher_runs)
    for task in unit:
        listen(Progress(task, None))
    return True


def _taught(spec: RunSpec, teacher: RunSpec, corpus: Corpus, store: Store, device: str) -> TeacherOutputs:
    """What a student's teacher says."""
    key = run_key(teacher, corpus, device)
    run = store.need(key, f"the teacher of {spec.arm.name}, seed {spec.seed}")
    return store.teacher_outputs(key, lambda: compute_teacher_outputs(run.model(), run.scaling(), teacher, corpus))
