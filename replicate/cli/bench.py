"""``replicate bench-training``: what training costs as things grow."""

from __future__ import annotations

from pathlib import Path

import click

from replicate.cli import console


@click.command("bench-training")
@click.option(
    "--most",
    type=click.IntRange(100),
    default=200_000,
    show_default=True,
    help="Leave out points with more utterances an epoch.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("results/training"),
    show_default=True,
    help="Folder for training.md, .csv and .png.",
)
def bench_training(most: int, out: Path) -> None:
    """Measure time and memory of training over dialogues, their length, width, seeds at once and processes.

    Every point runs in a process of its own, with one thread.
    """
    import torch

    from replicate.benchmark import training as curves
    from replicate.benchmark import training_report as training
    from replicate.machine import PEAK, peak, processor
    from replicate.runner import local

    err = console.status()
    chosen = curves.points(most, local.cores())
    torch.set_num_threads(1)
    multiply = peak("cpu")
    best = min(multiply() for _ in range(10))
    about = {"processor": processor() or "this machine", "peak": 2 * PEAK["cpu"] ** 3 / best}
    measured = []
    with err.status("measuring") as status:
        for one in curves.measure(chosen, lambda point: status.update(f"{point.curve} {point.value:,}")):
            measured.append(one)
            words = f"{one.point.curve} {one.point.value:,}: {one.seconds:.3g} s per epoch and run"
            err.print(f"{len(measured)}/{len(chosen)} {words}, {one.megabytes:,.0f} MB", highlight=False)
    training.write(measured, about, out)
    console.results().print(training.markdown(measured, about), markup=False, highlight=False, soft_wrap=True)
    err.print(f"Written to {out}/", soft_wrap=True)
