"""``replicate bench-training`` and ``bench-inference``: what training and inference cost."""

from __future__ import annotations

from pathlib import Path

import click

from replicate.cli import console, options


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
    from replicate.machine import cores

    chosen = training.points(most, cores())
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


@click.command("bench-inference")
@options.results
@options.config_dir
@click.option("--calls", type=click.IntRange(1), default=200, show_default=True, help="Timed calls of each model.")
def bench_inference(results: Path, calls: int) -> None:
    """Time the models of tables that show resources, such as `cost`, and write the tables again with the times.

    Each model predicts one dialogue of the corpus's median length on one thread of the CPU. The times are kept in
    inference.json in the results folder. To compare them, leave the machine to this command.

    For tables that compare deployments, such as `deploy`, all models are exported in 32 and in 8 bits. Their F1,
    latency, size and memory are kept in deployments.json.
    """
    from export.benchmark import deployments
    from export.benchmark.timing import load_of_others
    from replicate.benchmark import inference
    from replicate.experiment.results_folder import newest_results
    from replicate.experiment.resume import from_manifest
    from replicate.report import outputs
    from replicate.results.deployments import DEPLOYMENTS
    from replicate.results.timings import TIMINGS

    folder = newest_results(results)
    completed, context = from_manifest(folder)
    kept = []
    tables = completed.plan.tables
    deployed = any(table.deployments for table in tables)
    found = [] if deployed and not any(table.resources for table in tables) else inference.models(completed)
    load = load_of_others()
    if load is not None:
        console.note(f"warning: other programs use this machine (load {load:.1f}): the times are not reliable")
    with console.status().status("timing") as status:

        def on_round(done: int, total: int) -> None:
            status.update(f"timing {len(found)} models, round {done} of {total}")

        if found:
            inference.measure(found, calls, on_round).save(folder)
            kept.append(f"{len(found)} models in {TIMINGS}")
        if deployed:
            measured = deployments.measure(completed, calls, status.update)
            measured.save(folder)
            kept.append(f"{len(measured.deployments)} deployments in {DEPLOYMENTS}")
    written = outputs.write(completed, context, None)
    shown = [table.name for table in tables if table.resources or table.deployments]
    outputs.show(written, shown, console.results())
    console.note(f"measured {' and '.join(kept)}; written to {folder}, and all tables again")
