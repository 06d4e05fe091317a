"""``replicate check``: check the model, a bundle, a store or the paper's claims; exit with 3 where a check fails."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from replicate.cli import console, options

if TYPE_CHECKING:
    from export.validate.check import Check
    from replicate.store.store import Store
    from replicate.training.parity import Comparison

# Seconds without output after which `check store` prints its progress.
PATIENCE = 2.0
# Bytes for all models of `check bundle`, which compares dialogues of 500 utterances; PyTorch takes as much again.
CHECK_MEMORY = 350_000_000


@click.group()
def check() -> None:
    """Check the model, a bundle, a store or the paper's claims.

    Exits with 3 where a check fails.
    """


def alias(command: click.Command) -> click.Command:
    """Return a hidden copy of a command, for the name that earlier versions gave it."""
    hidden = copy.copy(command)
    hidden.hidden = True
    return hidden


@check.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE.npz...")
def parity(files: tuple[Path, ...]) -> None:
    """Compare both forms of the model with recorded outputs of the original code.

    Prints the largest absolute difference per file, form, setting and output. The check passes if all are below 1e-5.
    The final state of a training run may differ by as much as this machine's rounding explains.
    """
    from replicate.errors import ParityFailed
    from replicate.training.parity import TOLERANCE, compare

    failed = []
    width = max(len(path.name) for path in files)
    for path in files:
        for found in compare(path):
            where = f"{found.file:<{width}}  {found.form:<9}  {found.setting:<19}"
            console.echo(f"{where}  {found.output:<8}  {found.difference:.1e}  {_outcome(found)}")
            if not found.passed:
                failed.append(f"{found.file} ({found.form}, {found.setting}, {found.output})")
    if failed:
        raise ParityFailed(
            f"{len(failed)} differences of {TOLERANCE:g} or more, the first in {failed[0]}: do not trust numbers of "
            "this installation; compare your torch and torch-geometric with constraints.txt"
        )
    console.note(f"all below {TOLERANCE:g}, except for rounding where marked")


def _outcome(found: Comparison) -> str:
    from replicate.training.parity import ROUNDING, TOLERANCE

    if not found.passed:
        return "FAILED"
    if not found.judged:
        return "not judged: rounding, see docs/protocol-and-parity.md"
    if found.difference < TOLERANCE:
        return "ok"
    return f"ok: below {found.tolerance:.0e}, {ROUNDING} times the effect of rounding"


@check.command()
@click.argument("bundle", type=click.Path(path_type=Path), metavar="DIR")
@click.option("--data", metavar="NAME|PATH", help="The corpus of the bundle, where it is not found by its name.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Folder with the files of a named corpus.")
@options.config_dir
def bundle(bundle: Path, data: str | None, data_dir: Path | None) -> None:
    """Check an exported bundle, from its checksums to its F1 on test.

    DIR is a folder that `replicate export onnx` wrote, on this or another machine.
    """
    from export.bundle import opening
    from export.bundle_files import CHECKSUMS
    from export.limited_session import limit_memory
    from export.validate.check import require_passed
    from replicate.errors import BadBundle, CorruptRun, ExportFailed

    try:
        run = opening.open_run(bundle)
    except BadBundle as error:
        if not (bundle / CHECKSUMS).is_file():
            raise  # another folder, not a bundle that was changed
        raise ExportFailed(str(error)) from error
    limit_memory(CHECK_MEMORY)
    with options.end_when_stuck(ExportFailed):
        opened = opening.open_models(bundle)
    if not all(each.passed for each in opened):
        print_checks(opened)
        require_passed(opened, bundle)
    from export.bundle import bundle as bundles  # imports torch, which takes longer than all checks before

    try:
        corpus = bundles.corpus_for(run, data, data_dir)
        with options.end_when_stuck(ExportFailed), console.status().status("checking against PyTorch"):
            checks = bundles.check(bundle, corpus)
    except CorruptRun as error:
        raise ExportFailed(opening.unusable(bundle, error)) from error
    print_checks(checks)
    require_passed(checks, bundle)


def print_checks(checks: list[Check]) -> None:
    """Print a status line per check of a bundle."""
    words = {True: "ok", False: "FAILED", None: "not tried"}
    for each in checks:
        console.note(f"{words[each.passed]:<9} {each.name}: {each.found}")


@check.command()
@click.argument("chosen", nargs=-1, metavar="[KEY]...")
@options.run_store
def store(chosen: tuple[str, ...], where: str) -> None:
    """Check the hashes of all files of every run in a store, or of the runs KEY..., and print a line per problem.

    A damaged run fails the check. Damaged teacher embeddings do not: they are computed again when they are needed.
    Incomplete files of killed processes and folders that are not runs are only listed.
    """
    from replicate.errors import DamagedRuns
    from replicate.store import inventory

    found = options.open_runs(where, must_exist=True)
    keys = list(dict.fromkeys(inventory.find(found, key) for key in chosen)) if chosen else inventory.keys(found)
    damaged = 0
    for key in _with_progress(keys):
        problem = inventory.damage(found, key)
        if problem is not None:
            damaged += 1
            console.echo(problem)
    for key in inventory.embedded(found):
        if (not chosen or key in keys) and not found.embeddings_intact(key):
            console.echo(f"embeddings of {key} are damaged: they are computed again when a student needs them")
    for remark in () if chosen else _remarks(found):
        console.note(remark)
    runs = console.count(len(keys), "run")
    if damaged:
        raise DamagedRuns(
            f"{damaged} of {runs} in {where} damaged: train them again with --repair, or remove them with "
            "`replicate runs prune --damaged`"
        )
    console.note(f"{runs} in {where}, none damaged")


def _with_progress(keys: Sequence[str]) -> Iterator[str]:
    """Yield the keys; when they take long, print the progress, less and less often."""
    import time

    began, patience = time.monotonic(), PATIENCE
    for done, key in enumerate(keys):
        if time.monotonic() - began > patience:
            console.note(f"{done} of {len(keys)} runs checked")
            patience = 2 * (time.monotonic() - began)
        yield key


def _remarks(store: Store) -> Iterator[str]:
    """Describe what is in a store in addition to its runs."""
    from replicate.store import inventory

    for key in sorted(set(inventory.embedded(store)) - set(inventory.keys(store))):
        yield f"embeddings of {key} belong to no run: `replicate runs prune` removes them"
    for path in inventory.incomplete_files(store):
        yield f"{path} is incomplete: `replicate runs prune` removes it once it is an hour old"
    for key in inventory.keys(store):
        other = inventory.of_other_format(store, key)
        if other == inventory.OLD:
            yield f"{store.root / key} is in an old format and not used: `replicate runs prune` removes it"
        elif other is not None:
            yield f"{store.root / key} is in a newer format: it is left alone"
    for name in inventory.unknown_folders(store):
        yield f"{store.root / name} is not a run: it is left alone"


@check.command()
@click.argument("results", type=click.Path(path_type=Path), default=Path("results"), metavar="[RESULTS]")
@click.option(
    "--claim",
    "numbers",
    type=int,
    multiple=True,
    metavar="N",
    help="Check claim number N only; may be repeated. Default: all claims whose cells are measured.",
)
def claims(results: Path, numbers: tuple[int, ...]) -> None:
    """Check whether the paper's claims are reproduced; print outcomes, numbers, and what would decide open ones.

    RESULTS is a results folder, or a folder that contains several, of which the newest is used. Default: results.
    """
    from replicate.errors import ClaimFailed, NotMeasured
    from replicate.experiment.results_folder import newest_results
    from replicate.report import saved_claims as report

    folder = newest_results(results)
    found = report.read(folder)
    unknown = sorted(set(numbers) - {claim.number for claim in found})
    if unknown:
        known = ", ".join(str(claim.number) for claim in found)
        raise click.BadParameter(f"there is no claim {unknown[0]}, only {known}", param_hint="--claim")
    checked = [claim for claim in found if (claim.number in numbers if numbers else claim.outcome is not None)]
    shown = [claim for claim in found if claim in checked or not numbers]
    report.show_brief(shown, f"Claims in {folder}", console.results())
    if not checked:
        raise NotMeasured(f"no claim is measured in {folder}: run table1 to table5")
    failed = [claim for claim in checked if not report.expected(claim.outcome)]
    word = report.expectation(found)
    if failed:
        numbered = ", ".join(f"{claim.number} ({claim.outcome or 'not measured'})" for claim in failed)
        number = console.count(len(checked), "claim")
        raise ClaimFailed(f"{len(failed)} of {number} in {folder} not {word}: {numbered}")
    console.note(f"{console.count(len(checked), 'claim')} in {folder} {word}")


@check.command()
@click.argument("folder", type=click.Path(path_type=Path), default=Path("results"), metavar="[RESULTS]")
@click.option(
    "--against",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Expected results. Default: the file of docs/results/expected/ for the folder's corpus, profile and protocol.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON: every cell with its status.")
def results(folder: Path, against: Path | None, as_json: bool) -> None:
    """Compare the numbers in a results folder with expected ones, and its files with each other.

    RESULTS is a results folder, or a folder that contains several, of which the newest is used. Default: results.
    Or it is a page (.md) that another command of `make results` wrote, such as coverage.md.
    A cell is OK inside its tolerance, close inside twice the tolerance, and otherwise FAIL; or missing. With the same
    seeds, processor and libraries, numbers have to be equal (docs/results.md).

    Exits with 3 if a cell fails or a file was changed since it was written, with 1 if none of the expected cells is
    measured or the folder cannot be compared, and with 0 if those that are measured pass; the others are counted and
    named.
    """
    from replicate import escape
    from replicate.errors import NotMeasured, ResultsDiffer
    from replicate.expected import pages, show
    from replicate.expected.choose import check as compare
    from replicate.experiment.results_folder import ORIGIN, newest_results

    is_page = folder.suffix == ".md" and not folder.is_dir()
    chosen = folder if is_page or (folder / ORIGIN).is_file() else newest_results(folder)
    report = (pages.check if is_page else compare)(chosen, against)
    if as_json:
        console.echo(escape.json_text(report.as_json()))
    else:
        show.show(report, console.results())
    if report.failed:
        raise ResultsDiffer(show.failure(report))
    if not report.judged and not report.missing:
        raise NotMeasured(f"no cell of {chosen} was judged: its numbers are times, or have no tolerance")
    if not report.judged:
        raise NotMeasured(f"no expected cell is measured in {chosen}, so nothing was compared: run its tables")
    absent = f", and {console.count(report.missing, 'expected cell')} missing" if report.missing else ""
    console.note(f"no cell of {chosen} fails{absent}")
