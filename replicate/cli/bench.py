"""``replicate bench-training``: what training costs as its size grows."""

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
    help="Leave out points with more utterances in an epoch.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("results/training"),
    show_default=True,
    help="Folder for training.md, .csv and .png.",
)
def bench_training(most: int, out: Path) -> None:
    """Measure time and memory of training against its size.

    The size is the number of dialogues, their length, the width of the features, the number of seeds trained as one
    program, or the number of processes. Each point runs in a process of its own, with one thread.
    """
    from replicate.benchmark import training, training_report
    from replicate.runner import local

    chosen = training.points(most, local.cores())
    machine = training.this_machine()
    measured = []
    with console.status().status("measuring") as status:
        for one in training.measure(chosen, lambda point: status.update(f"{point.curve} {point.value:,}")):
            measured.append(one)
            cost = f"{one.seconds:.3g} s per epoch and run, {one.megabytes:,.0f} MB"
            console.note(f"{len(measured)}/{len(chosen)} {one.point.curve} {one.point.value:,}: {cost}")
    training_report.write(measured, machine, out)
    console.results().print(training_report.markdown(measured, machine), soft_wrap=True)
    console.note(f"written to {out}/")
