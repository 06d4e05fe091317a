"""``replicate benchmark``: how fast the exported model is."""

from __future__ import annotations

from pathlib import Path

import click

from replicate.cli import console, options


@click.command()
@options.results
@click.option(
    "--model", type=click.Path(path_type=Path), help="ONNX file (default: the one exported from the results)."
)
@click.option("--calls", type=click.IntRange(1), default=200, show_default=True, help="Timed calls of each engine.")
def benchmark(results: Path, model: Path | None, calls: int) -> None:
    """Time PyTorch against onnxruntime.

    Both get the same inputs: 30 utterances, batch 1 and 32, 1 and 2 threads, on the CPU; their F1 on the test set
    stands beside the times. The engines take turns, so that a machine that slows down slows all of them; yet with
    two threads a machine that is busy otherwise can spoil any ratio, and is reported.
    """
    import json

    from export import benchmark as timing
    from export import report
    from export.select import exported_run, newest_results
    from replicate.files import write_text

    folder = newest_results(results)
    path, run, corpus = exported_run(folder, model)
    err = console.status()
    timing.verify(run, path)
    busy = timing.load_of_others()
    if busy is not None:
        err.print(f"warning: this machine is busy (load {busy:.1f}): the times below tell more of that than of models")
    with err.status("F1 on test") as status:

        def tell(what: str) -> None:
            # A status line moves only in a terminal.
            status.update(f"timing {what}")
            if not err.is_terminal:
                err.print(f"timing {what}")

        accuracy = timing.test_f1(run, path, corpus)
        timings = timing.time_all(run, path, calls, tell)
    target = folder / "export" / "benchmark.json"
    about = {"model": str(path), "run": run.record["key"], "corpus": run.record["corpus"]["name"]}
    write_text(target, json.dumps(timing.as_json(timings, accuracy, about), indent=1) + "\n")
    report.show(timings, accuracy, run.record, console.results())
    err.print(f"Written to {target}", soft_wrap=True)
