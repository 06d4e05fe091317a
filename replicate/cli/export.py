"""``replicate export``: write a trained model as a bundle."""

from __future__ import annotations

from pathlib import Path

import click

from replicate.cli import console, options
from replicate.cli.check import print_checks


@click.group()
def export() -> None:
    """Write trained models in formats for deployment."""


@export.command()
@options.results
@options.config_dir
@click.option("--arm", metavar="NAME", help="Export the best seed of this arm.")
@click.option("--run", "key", metavar="KEY", help="Export this run; the beginning of its key is enough.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder for the bundle. Default: export/ in the results.")
@click.option(
    "--budget-ms",
    "budget",
    type=click.FloatRange(0, min_open=True),
    metavar="MS",
    help="Export the best model that predicts a dialogue of the corpus's median length in MS milliseconds here.",
)
@click.option(
    "--portable",
    is_flag=True,
    help="Use operators of ONNX itself alone, for OpenVINO, browsers and others; slower on long dialogues.",
)
def onnx(
    results: Path, arm: str | None, key: str | None, out: Path | None, budget: float | None, portable: bool
) -> None:
    """Export the best model for speech alone as a bundle, checked against PyTorch.

    By default this is the best seed of the arm with the best mean F1 on dev from audio alone; test is never used. The
    bundle contains the model in 32 bits, the model in 8 bits if that costs at most 0.005 of F1 on dev, a model card, a
    predictor that needs only numpy and onnxruntime, and the run itself. It is written only if every check passes. For
    features of `replicate features acoustic` it also contains the model from waveforms, always portable.

    With --budget-ms, every model is timed on one thread of this machine first, in 32 and in 8 bits. `replicate run
    deploy` trains models of several sizes to choose from.
    """
    if (arm is not None) + (key is not None) + (budget is not None) > 1:
        raise click.UsageError("--arm, --run and --budget-ms exclude each other")
    from export.bundle import budget as budgets
    from export.bundle import bundle
    from export.bundle.select import choose, corpus_of_results, read_manifest
    from export.onnx import save
    from export.predictor import INT8
    from replicate.config.profiles import SMOKE
    from replicate.experiment.results_folder import newest_results

    folder = newest_results(results)
    choice = choose(folder, arm, key)
    means = ", ".join(f"{name} {f1:.3f}" for name, f1 in choice.mean_dev_f1.items())
    err = console.status()
    trial = f" ({SMOKE} profile, for trying out only)" if read_manifest(folder).profile == SMOKE else ""
    err.print(f"from {folder}{trial}: mean dev F1 on audio alone: {means}", soft_wrap=True)
    target = out or folder / "export"
    with err.status("loading the corpus") as status:
        corpus = corpus_of_results(folder, choice.run)
        fit = None if budget is None else budgets.choose_within(choice, corpus, budget, status.update)
        choice = choice if fit is None else fit.choice
        written = bundle.write(choice, corpus, target, status.update, portable)
    record = choice.run.record
    console.echo(target)
    if fit is not None:
        err.print(
            f"within {budget:g} ms: {'; '.join(fit.within)}. {fit.file} of {record.arm.name} takes "
            f"{fit.milliseconds:.2f} ms for a dialogue of {fit.utterances} utterances on one thread",
            soft_wrap=True,
        )
    err.print(
        f"{record.arm.name}, seed {record.seed} (dev F1 {choice.dev_f1:.3f}), trained on {record.corpus.name}",
        soft_wrap=True,
    )
    print_checks(written.checks)
    err.print(f"{INT8}: {written.quantised.summary}", soft_wrap=True)
    if save.recipe(choice.run):
        console.suggest("predict", target, "--audio", "SOURCE")
    else:
        console.suggest("benchmark", target)
