"""``replicate benchmark``: how fast an exported model is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from replicate.cli import console, options

if TYPE_CHECKING:
    from replicate.store.record import RunRecord


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path), required=False)
@options.results
@click.option("--calls", type=click.IntRange(1), default=200, show_default=True, help="Timed calls of each engine.")
@click.option("--batch", "batches", type=click.IntRange(1), multiple=True, help="Dialogues a call (1, 8, 32, 128).")
@click.option("--length", "lengths", type=click.IntRange(1, 2000), multiple=True, help="Utterances (10, 30, 110, 500).")
@click.option("--threads", type=click.IntRange(1), multiple=True, help="Threads (1, and all cores).")
@click.option(
    "--device",
    "devices",
    type=click.Choice(["cpu", "cuda"]),
    multiple=True,
    help="Where to run (cpu, and cuda where there is one); one that is named must be there.",
)
@click.option("--full", is_flag=True, help="Every batch at every length: hours instead of minutes.")
@click.option("--data", metavar="NAME|PATH", help="The bundle's corpus, where it has no name or lies elsewhere.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Folder that holds the files of a named corpus.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Folder for what is written (default: BUNDLE-benchmark).",
)
def benchmark(
    bundle: Path | None,
    results: Path,
    calls: int,
    batches: tuple[int, ...],
    lengths: tuple[int, ...],
    threads: tuple[int, ...],
    devices: tuple[str, ...],
    full: bool,
    data: str | None,
    data_dir: Path | None,
    out: Path | None,
) -> None:
    """Time PyTorch against onnxruntime, on the CPU and on the GPU where there is one.

    BUNDLE is the folder that `replicate export onnx` wrote (default: the newest results' one). All engines get the same
    inputs and take turns, so that a machine that slows down slows all of them; yet with several threads a machine that
    is busy otherwise can spoil any ratio, and is reported. Their F1 on the test set stands beside the times.
    """
    import os

    from export.benchmark import timing
    from export.bundle import bundle as bundles
    from replicate.errors import ExportFailed, NothingToExport
    from replicate.experiment.manifest import newest_results

    folder = (bundle or newest_results(results) / "export").resolve()
    if bundle is None and not folder.is_dir():
        raise NothingToExport(f"no bundle at {folder}: run `replicate export onnx` first, or name a BUNDLE")
    run = bundles.open_run(folder)
    corpus = bundles.corpus_for(run, data, data_dir)
    used = _devices(devices, folder)
    target = out or folder.with_name(f"{folder.name}-benchmark")
    _demand_folder(target)
    err = console.status()
    with err.status("checking the bundle"):
        failed = [check for check in bundles.check(folder, None) if check.holds is False]
    if failed:
        raise ExportFailed(f"{folder} is not timed, it computes something else: {failed[0].name} ({failed[0].found})")
    busy = timing.load_of_others()
    if busy is not None:
        err.print(f"warning: this machine is busy (load {busy:.1f}): the times below tell more of that than of models")
    cases = timing.shapes(batches or timing.BATCHES, lengths or timing.LENGTHS, full)
    counts = tuple(dict.fromkeys(threads or (1, os.cpu_count() or 1)))
    places = [timing.Place("cpu", count) for count in counts] if "cpu" in used else []
    places += [timing.Place("cuda")] if "cuda" in used else []
    with err.status("F1 on test, and memory"):
        rows = timing.describe(folder, corpus, max(case.utterances for case in cases), used)
    timings, failures = _timed(folder, cases, places, calls)
    _write(target, timings, rows, _about(folder, run.record) | {"failures": failures})


def _demand_folder(target: Path) -> None:
    """Make the folder for what is written before hours of timing, not after."""
    from replicate.files import from_os_error

    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise from_os_error(error, target) from error


def _devices(asked: tuple[str, ...], bundle: Path) -> list[str]:
    """The devices to time on, each once. What was asked for must be there, with both PyTorch and onnxruntime."""
    import torch

    from export.benchmark import base, engines
    from replicate.errors import MissingDevice

    if not asked:
        return ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
    if "cuda" in asked:
        from replicate.runner.local import resolve_device

        resolve_device("cuda")
        lacking = engines.available(bundle, "cuda")[base.FP32]
        if lacking is not None:
            raise MissingDevice(f"{lacking}; or leave --device away to time the rest")
    return list(dict.fromkeys(asked))


def _timed(folder: Path, cases: Any, places: Any, calls: int) -> Any:
    """All timings, with a bar that knows how many utterances are left."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from export.benchmark import timing

    err = console.status()
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, disable=not err.is_terminal) as progress:
        task = progress.add_task("timing", total=None)

        def tell(done: int, total: int, what: str) -> None:
            progress.update(task, completed=done, total=total, description=what)
            if not err.is_terminal:
                err.print(f"timing {what} ({100 * done // total} % done)")

        return timing.time_all(folder, cases, places, calls, tell)


def _about(folder: Path, record: RunRecord) -> dict[str, Any]:
    import os
    from importlib.metadata import version

    import torch

    from export.benchmark import timing
    from export.benchmark.flops import flops
    from replicate.machine import processor

    return {
        "bundle": str(folder),
        "run": record.key,
        "arm": record.arm.name,
        "seed": record.seed,
        "corpus": record.corpus.name,
        "flops": flops(folder / "model.onnx"),
        "profile": timing.profile(folder),
        "processor": processor(),
        "cores": os.cpu_count(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "trained with": record.versions,
        "versions": {name: version(name) for name in ("torch", "torch-geometric", "onnxruntime", "numpy")},
    }


def _write(target: Path, timings: Any, rows: Any, about: dict[str, Any]) -> None:
    import json

    from export.benchmark import report, timing
    from replicate.files import atomic_path, write_text

    write_text(target / "benchmark.json", json.dumps(timing.as_json(timings, rows, about), indent=1) + "\n")
    write_text(target / "benchmark.md", report.markdown(timings, rows, about))
    write_text(target / "benchmark.csv", report.as_csv(timings, about))
    with atomic_path(target / "benchmark.png") as temporary:
        report.plot(timings, temporary)
    report.show(timings, rows, about, console.results())
    console.status().print(f"Written to {target}: benchmark.md, .csv, .json, .png", soft_wrap=True)
