"""``replicate benchmark``: how fast an exported model is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from replicate.cli import console, options

if TYPE_CHECKING:
    from export.benchmark.measurements import EngineSummary, Place, Setup, Shape, Timing
    from replicate.store.record import RunRecord

VERSIONS = ("torch", "torch-geometric", "onnxruntime", "numpy")


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path), required=False)
@options.results
@options.config_dir
@click.option("--calls", type=click.IntRange(1), default=200, show_default=True, help="Timed calls of each engine.")
@click.option(
    "--batch", "batches", type=click.IntRange(1), multiple=True, help="Dialogues per call. Default: 1, 8, 32, 128."
)
@click.option(
    "--length",
    "lengths",
    type=click.IntRange(1, 2000),
    multiple=True,
    help="Utterances per dialogue. Default: 10, 30, 110, 500.",
)
@click.option("--threads", type=click.IntRange(1), multiple=True, help="CPU threads. Default: 1, and all cores.")
@click.option(
    "--device",
    "devices",
    type=click.Choice(["cpu", "cuda"]),
    multiple=True,
    help="Where to run; an error if it is missing. Default: cpu, and cuda if there is a GPU.",
)
@click.option("--full", is_flag=True, help="Every batch at every length: takes hours instead of minutes.")
@click.option(
    "--peers",
    "with_peers",
    is_flag=True,
    help="Also time torch.onnx's export in onnxruntime and OpenVINO, and AOTInductor, where they are installed.",
)
@click.option("--data", metavar="NAME|PATH", help="The bundle's corpus, where it is not found by its name.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Folder with the files of a named corpus.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder for the results. Default: BUNDLE-benchmark.")
def benchmark(
    bundle: Path | None,
    results: Path,
    calls: int,
    batches: tuple[int, ...],
    lengths: tuple[int, ...],
    threads: tuple[int, ...],
    devices: tuple[str, ...],
    full: bool,
    with_peers: bool,
    data: str | None,
    data_dir: Path | None,
    out: Path | None,
) -> None:
    """Time PyTorch against onnxruntime, on the CPU, and on the GPU if there is one.

    BUNDLE is the folder that `replicate export onnx` wrote. Default: the one in the newest results. All engines get the
    same inputs and are called alternately, so that a machine that becomes slower slows all of them. Other programs on
    the machine disturb times with several threads; a high load is reported. The F1 on test is shown with the times.
    """
    from dataclasses import replace

    from export.benchmark import timing
    from export.benchmark.measurements import Place
    from export.bundle import bundle as bundles
    from export.bundle.opening import open_run
    from replicate.errors import ExportFailed, NothingToExport
    from replicate.experiment.results_folder import newest_results
    from replicate.machine import cores

    folder = (bundle or newest_results(results) / "export").resolve()
    if bundle is None and not folder.is_dir():
        raise NothingToExport(f"no bundle at {folder}: run `replicate export onnx` first, or name a BUNDLE")
    run = open_run(folder)
    corpus = bundles.corpus_for(run, data, data_dir)
    used = _devices(devices, folder)
    target = out or folder.with_name(f"{folder.name}-benchmark")
    _make_folder(target)
    err = console.status()
    with err.status("checking the bundle"):
        failed = [check for check in bundles.check(folder, None) if check.passed is False]
    if failed:
        raise ExportFailed(f"{folder} was not timed, it fails a check: {failed[0].name} ({failed[0].found})")
    load = timing.load_of_others()
    if load is not None:
        console.note(f"warning: other programs use this machine (load {load:.1f}): the times are not reliable")
    cases = timing.shapes(batches or timing.BATCHES, lengths or timing.LENGTHS, full)
    counts = tuple(dict.fromkeys(threads or (1, cores())))
    places = [Place("cpu", count) for count in counts] if "cpu" in used else []
    places += [Place("cuda")] if "cuda" in used else []
    with err.status("measuring F1 on test, and memory"):
        longest = max(case.utterances for case in cases)
        engines = timing.summarise(folder, corpus, longest, used, with_peers)
    timings, failures = _time(folder, cases, places, calls, with_peers)
    _write(target, timings, engines, replace(_setup(folder, run.record, longest), failures=failures))


def _make_folder(target: Path) -> None:
    """Make the output folder before hours of timing, not after, so that an error is noticed."""
    from replicate.files import from_os_error

    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise from_os_error(error, target) from error


def _devices(requested: tuple[str, ...], bundle: Path) -> list[str]:
    """Return the devices to time on, each once; a requested one must run both PyTorch and onnxruntime."""
    import torch

    from export.benchmark import base, engines
    from replicate.errors import MissingDevice

    if not requested:
        return ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
    if "cuda" in requested:
        from replicate.devices import resolve_device

        resolve_device("cuda")
        missing = engines.available(bundle, "cuda")[base.FP32]
        if missing is not None:
            raise MissingDevice(f"{missing}; or remove --device to time the rest")
    return list(dict.fromkeys(requested))


def _time(
    folder: Path, cases: Sequence[Shape], places: Sequence[Place], calls: int, with_peers: bool
) -> tuple[list[Timing], list[str]]:
    """Time all engines; shows progress by the utterances that are left."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from export.benchmark import timing

    err = console.status()
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, disable=not err.is_terminal) as progress:
        task = progress.add_task("timing", total=None)

        def on_progress(done: int, total: int, case: str) -> None:
            progress.update(task, completed=done, total=total, description=case)
            if not err.is_terminal:
                console.note(f"timing {case} ({100 * done // total} % done)")

        return timing.time_all(folder, cases, places, calls, with_peers, on_progress)


def _setup(folder: Path, record: RunRecord, longest: int) -> Setup:
    from importlib.metadata import version
    from importlib.util import find_spec

    import torch

    from export.benchmark import timing
    from export.benchmark.flops import flops
    from export.benchmark.measurements import Setup
    from export.predictor import MODEL
    from replicate.machine import cores, processor

    return Setup(
        bundle=str(folder),
        run=record.key,
        arm=record.arm.name,
        seed=record.seed,
        corpus=record.corpus.name,
        flops=flops(folder / MODEL),
        profiles=timing.profiles(folder, longest),
        processor=processor(),
        cores=cores(),
        gpu=torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        trained_with=record.versions,
        versions={name: version(name) for name in (*VERSIONS, *(("openvino",) if find_spec("openvino") else ()))},
    )


def _write(target: Path, timings: Sequence[Timing], engines: Sequence[EngineSummary], setup: Setup) -> None:
    from export.benchmark import report
    from export.benchmark.measurements import to_json
    from replicate.escape import json_text
    from replicate.files import atomic_path, write_text

    write_text(target / "benchmark.json", json_text(to_json(timings, engines, setup)) + "\n")
    write_text(target / "benchmark.md", report.markdown(timings, engines, setup))
    write_text(target / "benchmark.csv", report.to_csv(timings, setup))
    with atomic_path(target / "benchmark.png") as temporary:
        report.plot(timings, temporary)
    report.show(timings, engines, setup, console.results())
    console.note(f"written to {target}: benchmark.md, .csv, .json, .png")
