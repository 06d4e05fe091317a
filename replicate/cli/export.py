"""``replicate export``: from a trained model to a file that people deploy."""

from __future__ import annotations

from pathlib import Path

import click

from replicate.cli import console, options


@click.group()
def export() -> None:
    """Write trained models in deployable formats."""


@export.command()
@options.results
@click.option("--out", type=click.Path(path_type=Path), help="Folder for model.onnx (default: export/ in the results).")
def onnx(results: Path, out: Path | None) -> None:
    """Export the best speech-only model to ONNX and check it against PyTorch.

    The arm with the best mean dev F1 on audio alone is taken, and its best seed on dev; test is never looked
    at. The file is written only if onnxruntime agrees with the PyTorch reference within 1e-4.
    """
    from export.check import TOLERANCE
    from export.onnx_file import write
    from export.select import best_speech_run, newest_results

    folder = newest_results(results)
    choice = best_speech_run(folder)
    record = choice.run.record
    target = (out or folder / "export") / "model.onnx"
    means = ", ".join(f"{arm} {f1:.3f}" for arm, f1 in choice.mean_dev_f1.items())
    err = console.status()
    err.print(f"From {folder}: mean dev F1 on audio alone: {means}", soft_wrap=True)
    with err.status("exporting and checking"):
        largest = write(choice, target)
    click.echo(target)
    size = target.stat().st_size / 1e6
    for line in (
        f"{record['arm']['name']}, seed {record['seed']} (dev F1 {choice.dev_f1:.3f}), trained on "
        f"{record['corpus']['name']}, {size:.1f} MB",
        f"largest difference between onnxruntime and PyTorch: {largest:.1e} (limit {TOLERANCE:g})",
    ):
        err.print(line, soft_wrap=True)
    console.suggest("benchmark", "--results", folder, *(["--model", target] if out else []))
