"""``replicate benchmark``: how fast the exported model is."""

from __future__ import annotations

from pathlib import Path

import click

from replicate.cli import options


@click.command()
@options.results
@click.option(
    "--model", type=click.Path(path_type=Path), help="ONNX file (default: the one exported from the results)."
)
@click.option("--calls", type=click.IntRange(1), default=200, show_default=True, help="Timed calls of each engine.")
def benchmark(results: Path, model: Path | None, calls: int) -> None:
    """Time PyTorch and onnxruntime on the same inputs, and compare their F1 on the test set.

    30 utterances, batch 1 and 32, 1 and 2 threads, on the CPU. The engines take turns, so that their ratios
    hold on a busy machine.
    """
    import json

    from rich.console import Console

    from export import benchmark as timing
    from export import report
    from export.select import exported_run, newest_results
    from replicate.files import write_text

    folder = newest_results(results)
    path, run, corpus = exported_run(folder, model)
    console = Console(stderr=True)
    with console.status("F1 on test") as status:

        def tell(what: str) -> None:
            # A status line moves only in a terminal.
            status.update(f"timing {what}")
            if not console.is_terminal:
                console.print(f"timing {what}", highlight=False)

        accuracy = timing.test_f1(run, path, corpus)
        timings = timing.time_all(run, path, calls, tell)
    out = Console()
    if not out.is_terminal:
        out.width = 200
    report.show(timings, accuracy, run.record, out)
    target = path.with_name("benchmark.json")
    about = {"model": str(path), "run": run.record["key"], "corpus": run.record["corpus"]["name"]}
    write_text(target, json.dumps(timing.as_json(timings, accuracy, about), indent=1) + "\n")
    console.print(f"Written to {target}", highlight=False, soft_wrap=True)
