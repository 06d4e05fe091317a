"""Plans of earlier commands: read from a manifest, joined with the plan of this command, and written to a manifest."""

from __future__ import annotations

import logging
import os
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from replicate.config import folders, tables
from replicate.config.requirements import trainable
from replicate.errors import InvalidDefinition, NotThisFormat, OldFormat, ReplicateError, UnknownCorpus
from replicate.experiment.completed import CompletedRuns
from replicate.experiment.context import CommandContext
from replicate.experiment.manifest import FORMAT, Machine, Manifest, corpus_of, installed_versions
from replicate.experiment.plan import Plan
from replicate.experiment.prepare import Options, prepare
from replicate.experiment.results_folder import MANIFEST
from replicate.experiment.wording import command
from replicate.provenance import revision
from replicate.runner.failures import FailedRun
from replicate.store.remote import RemoteStore

log = logging.getLogger(__name__)


def check_manifest(folder: Path) -> None:
    """Refuse a results folder of a newer version, before anything is trained, and log a manifest that is of no use.

    Raises:
        NewerFormat: a newer version wrote the folder's manifest, which must not be lost.
    """
    if (folder / MANIFEST).exists():
        try:
            Manifest.load(folder)
        except (NotThisFormat, OldFormat) as error:
            log.warning("%s: this command replaces it", error)


def from_manifest(folder: Path, metric: str | None = None) -> tuple[CompletedRuns, CommandContext]:
    """Return the runs behind the tables in a results folder, and their context.

    Args:
        metric: what tables show; None takes that of the manifest.

    Raises:
        NotThisFormat, OtherFormat: its manifest cannot be read. UnknownCorpus: the corpus has changed, or is missing.
        InvalidDefinition: the tables need folders of the user's own definitions, and none are in use.
    """
    manifest = Manifest.load(folder)
    if manifest.config_dirs and not folders.current():
        # A plugin is code: a manifest, which may be from elsewhere, must not decide what is imported.
        option = " ".join(f"--config-dir {shlex.quote(each)}" for each in manifest.config_dirs)
        raise InvalidDefinition(
            f"{folder / MANIFEST} needs definitions of your own: add {option}, or where they are now"
        )
    data_dir = manifest.source.data_dir
    options = Options(
        manifest.profile,
        manifest.protocol,
        manifest.seeds,
        manifest.source.data,
        None if data_dir is None else Path(data_dir),
        "cpu",
        out=folder.parents[1],
        store=manifest.store_address or os.path.normpath(folder / manifest.store),
        keep_dropped=manifest.keep_dropped,
        precision=manifest.precision,
        stacked=manifest.stacked,
        privileged=manifest.privileged,
        folds=manifest.folds,
        metric=manifest.metric if metric is None else metric,
    )
    plan, context = prepare(manifest.tables, options)
    if plan.corpus.hash != manifest.corpus.hash:
        raise UnknownCorpus(f"corpus {plan.corpus.name} has changed since {folder / MANIFEST} was written: run again")
    # The device is part of the keys of runs; loading the runs does not need it.
    plan = replace(plan, device=manifest.device)
    return CompletedRuns(plan, context.store, _by_key(manifest.failed)), context


def with_earlier_tables(completed: CompletedRuns, context: CommandContext) -> CompletedRuns:
    """Return the runs of a plan and those of every table that an earlier command completed in the same folder.

    Results, claims and the page of a folder then cover all of its tables. A table is left out if its seeds, device or
    stacking differ, or if a run is missing although its training did not fail.
    """
    plan = completed.plan
    earlier = Manifest.find(context.folder(plan))
    if earlier is None or (earlier.seeds, earlier.device, earlier.stacked) != (plan.seeds, plan.device, plan.stacked):
        return completed
    failed = _by_key(earlier.failed)
    own = {table.name: table for table in plan.tables}
    found = []
    for name in tables.table_names():
        if name in own:
            found.append(own[name])
        elif name in earlier.tables:
            table = tables.table(name, plan.privileged)
            if _complete(replace(plan, tables=(table,)), context, failed):
                found.append(table)
    joined = replace(plan, tables=tuple(found))
    # A run that failed earlier and is complete now is in the store.
    still = {key: run for key, run in failed.items() if key in joined.tasks and key not in plan.tasks}
    return replace(completed, plan=joined, failed={**still, **completed.failed})


def why_removed(names: Sequence[str], plan: Plan, folder: Path) -> str:
    """Return one line on tables in a results folder that are not of the runs of ``plan``, before they are removed."""
    line = f"removing {', '.join(names)} from {folder}, where all files are of the same runs: "
    earlier = Manifest.find(folder)
    if earlier is None or not set(names) <= set(earlier.tables):
        return f"{line}an earlier command wrote them, with other settings or definitions; its runs are kept"
    reason = "they have other definitions now, or lack runs"
    if earlier.seeds != plan.seeds:
        reason = f"seeds {','.join(map(str, earlier.seeds))}, now {','.join(map(str, plan.seeds))}"
    elif earlier.device != plan.device:
        reason = f"trained on {earlier.device}, now on {plan.device}"
    elif earlier.stacked != plan.stacked:
        reason = "seeds trained one by one and as one program"
    return f"{line}{reason}; their runs are kept, and this writes them again: {earlier.command}"


def write_manifest(completed: CompletedRuns, context: CommandContext, seconds: float) -> Manifest:
    """Write the manifest of a plan whose runs are complete; ``seconds`` is the wall time of training.

    Raises:
        DiskFull, CannotWrite: naming the file.
    """
    plan, store = completed.plan, completed.store
    folder = context.folder(plan)
    earlier = Manifest.find(folder)
    before = () if earlier is None else (*earlier.earlier_runs, *earlier.runs)
    manifest = Manifest(
        FORMAT,
        tuple(table.name for table in plan.tables),
        corpus_of(plan),
        plan.protocol.name,
        plan.profile.name,
        plan.seeds,
        plan.keep_dropped,
        command(plan, context),
        plan.source,
        tuple(map(str, folders.current())),
        tuple(plan.tasks),
        tuple(run for key, run in completed.failed.items() if key in plan.tasks),
        tuple(key for key in plan.deployable() if key not in completed.failed),
        os.path.relpath(store.root, folder),
        store.address if isinstance(store, RemoteStore) else None,
        plan.device,
        plan.precision,
        plan.stacked,
        context.jobs,
        round(seconds, 1),
        round(completed.seconds(), 1),
        Machine.this(),
        installed_versions(),
        tuple(key for key in dict.fromkeys(before) if key not in plan.tasks and (store.root / key).is_dir()),
        plan.privileged_choice,
        plan.folds,
        plan.metric,
        plan.test_splits(),
        *revision(),
        completed.builds(),
    )
    manifest.save(folder)
    if manifest.git_clean is False:
        log.info("the code has changes that were not committed, which %s notes", folder / MANIFEST)
    return manifest


def _by_key(runs: tuple[FailedRun, ...]) -> dict[str, FailedRun]:
    return {run.key: run for run in runs}


def _complete(plan: Plan, context: CommandContext, failed: dict[str, FailedRun]) -> bool:
    """Return whether every run of a plan is in the store, undamaged, or failed earlier."""
    try:
        return trainable(plan.tables[0], plan.corpus) and not {
            task.key for task in context.missing(plan.graph) if task.key not in failed
        }
    except ReplicateError:
        return False
