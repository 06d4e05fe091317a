"""Train and save the runs of one program in one process; all engines call ``train_program``."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from replicate.corpus.types import Corpus
from replicate.errors import BadPlugin, CannotWrite, CorruptRun, DiskFull, OtherFormat
from replicate.provenance import revision
from replicate.runner.failures import Failure
from replicate.runner.progress import Progress, ProgressCallback
from replicate.runner.schedule import Held, Outcome
from replicate.runner.tasks import Program, Task
from replicate.store.keys import run_key
from replicate.store.record import EpochRecord
from replicate.store.store import Store
from replicate.training.config import RunSpec
from replicate.training.distillation.base import TeacherOutputs
from replicate.training.inference import compute_teacher_outputs
from replicate.training.loop import RunResult, train_seed_group
from replicate.training.trainer import Epoch

# Errors of the store. All further runs would fail for the same reason, so these errors end the command.
_STORE_ERRORS = (DiskFull, CannotWrite, CorruptRun, OtherFormat)


class _CallbackError(BaseException):
    """The progress callback raised an exception, which ends the command and is not reported as a failed run."""


def train_program(
    program: Program, corpus: Corpus, store: Store, device: str, on_progress: ProgressCallback
) -> Outcome:
    """Train and save the runs of a program under its lock.

    Returns:
        True when they are in the store, ``Held`` if another process is training them, and a ``Failure`` if training
        raised. Errors of the store are raised.
    """
    revision()  # before training, so that a record names the code as it was loaded
    with store.lock(program.key, wait=False) as locked:
        if not locked:
            return Held(store.lock_owner(program.key))
        if any(store.get(task.key) is None for task in program.wanted):
            results = _train(program, corpus, store, device, on_progress)
            if isinstance(results, Failure):
                return results
            for task, result in zip(program.runs, results, strict=True):
                if store.get(task.key) is None:
                    store.put(task.key, task.spec, corpus, device, result, task.teachers)
    for task in program.wanted:
        on_progress(Progress(task, None))
    return True


def _train(
    program: Program, corpus: Corpus, store: Store, device: str, on_progress: ProgressCallback
) -> Sequence[RunResult] | Failure:
    wanted = {task.spec.seed: task for task in program.wanted}

    def on_epoch(spec: RunSpec, epoch: Epoch) -> None:
        if spec.seed in wanted:
            try:
                on_progress(Progress(wanted[spec.seed], EpochRecord(**vars(epoch))))
            except Exception as error:
                raise _CallbackError from error

    try:
        teacher_outputs = [
            [
                _teacher_outputs(task, key, spec, corpus, store)
                for key, spec in zip(task.teachers, task.spec.teachers, strict=True)
            ]
            for task in program.runs
        ]
        results = train_seed_group([task.spec for task in program.runs], corpus, device, on_epoch, teacher_outputs)
        _require_same_code(program, corpus, device)
        return results
    except _CallbackError as error:
        raise (error.__cause__ or error) from None
    except _STORE_ERRORS:
        raise
    except (Exception, SystemExit) as error:  # a plugin may raise anything
        failure = Failure.of(error, program.runs[0].spec)
    if device == "cuda":
        torch.cuda.empty_cache()  # after running out of memory, the next run needs all of it
    return failure


def _require_same_code(program: Program, corpus: Corpus, device: str) -> None:
    """Refuse to save runs under keys that no longer describe their code.

    Raises:
        BadPlugin: a file has changed since the command computed the keys.
    """
    for task in program.runs:
        if run_key(task.spec, corpus, device) != task.key:
            raise BadPlugin(
                "the code of a plugin or of the package was changed after the command began, so the run is not saved: "
                "run the command again"
            )


def _teacher_outputs(student: Task, key: str, teacher: RunSpec, corpus: Corpus, store: Store) -> TeacherOutputs:
    run = store.need(key, f"the teacher of {student.name}")
    return store.teacher_outputs(key, lambda: compute_teacher_outputs(run.model(), run.scaling(), teacher, corpus))
