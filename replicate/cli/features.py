"""``replicate features``: feature streams from recordings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from replicate.cli import console, options

if TYPE_CHECKING:
    from replicate.features.extract import Extractor

_EXTRACTION = (
    options.out_file,
    options.recordings,
    click.option(
        "--classes", type=click.Choice(["4", "6"]), default="4", show_default=True, help="Classes of IEMOCAP to take."
    ),
    click.option(
        "--allow-other-counts", is_flag=True, help="Go on with a copy of IEMOCAP that is not the whole release."
    ),
    options.force,
)


def _extraction(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(_EXTRACTION):
        command = option(command)
    return click.argument("source", metavar="SOURCE", type=click.Path(path_type=Path))(command)


@click.group()
def features() -> None:
    """Extract features from recordings into a corpus file. Needs the extra [audio].

    SOURCE is a folder of .wav and .flac with a CSV, one recording with --segments, or the root of the IEMOCAP
    release. Recordings are mixed to one channel and resampled to 16 kHz. An extraction that was interrupted goes on
    with the same command.
    """


@features.command("opensmile")
@_extraction
@click.option("--set", "feature_set", default="eGeMAPSv02", show_default=True, help="Standard set of openSMILE.")
@click.option(
    "--select",
    type=click.IntRange(1),
    help="Keep so many columns, those with the highest ANOVA F of the classes on the training split.",
)
def opensmile_(source: Path, feature_set: str, select: int | None, **others: Any) -> None:
    """Write openSMILE functionals of every utterance, as stream audio."""
    options.require_audio()
    from replicate.features import smile

    if feature_set not in smile.SETS:
        raise click.BadParameter(f"choose one of {', '.join(smile.SETS)}", param_hint="--set")
    _run(source, lambda: smile.Smile(feature_set), select=select, **others)


@features.command("hubert")
@_extraction
@click.option(
    "--model", help="Folder with a HuBERT model, or its name on the hub. [default: facebook/hubert-large-ls960-ft]"
)
@click.option(
    "--layer",
    default="last",
    show_default=True,
    help="last, second-to-last, a number (0 enters the first layer), or weighted: the sum of all.",
)
@click.option("--layer-weights", metavar="W0,W1,...", help="Weights of --layer weighted. Default: all the same.")
@click.option(
    "--chunk",
    type=click.FloatRange(10),
    default=30.0,
    show_default=True,
    help="Seconds; longer utterances are computed in windows of this length that overlap by 4 s.",
)
@click.option(
    "--batch", type=click.FloatRange(1), default=60.0, show_default=True, help="Seconds of speech computed together."
)
@click.option(
    "--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True, help="Where to compute."
)
def hubert_(
    source: Path,
    model: str | None,
    layer: str,
    layer_weights: str | None,
    chunk: float,
    batch: float,
    device: str,
    **others: Any,
) -> None:
    """Write a HuBERT model's hidden states, averaged over every utterance, as stream hubert."""
    if layer_weights is not None and layer != "weighted":
        raise click.UsageError("--layer-weights is of --layer weighted")
    try:
        weights = tuple(float(weight) for weight in (layer_weights or "").split(",") if weight)
    except ValueError as error:
        raise click.BadParameter("give numbers with commas between them", param_hint="--layer-weights") from error
    options.require_audio()
    from replicate.features.hubert import MODEL, Choice, Hubert

    choice = Choice(model or MODEL, layer, weights, chunk)
    _run(source, lambda: Hubert(choice, device, batch), **others)


def _run(
    path: Path,
    make: Callable[[], Extractor],
    out: Path,
    drop: bool,
    force: bool,
    classes: str,
    select: int | None = None,
    **reading: Any,
) -> None:
    """Read the source, extract, and write the corpus."""
    from dataclasses import replace

    from replicate.corpus import archive
    from replicate.features import resume
    from replicate.features.extract import extract, to_corpus
    from replicate.features.read import read
    from replicate.features.source import measure, refuse
    from replicate.report import progress

    options.check_new(out, force, "--out")
    source, seconds = measure(read(path, classes=int(classes), **reading))
    if not drop:
        refuse(source.problems)
    for warning in source.warnings:
        click.echo(f"note: {warning}", err=True)
    extractor = make()
    with progress.steady(extractor.stream, sum(seconds), console.status()) as advance:
        found = extract(source, seconds, extractor, out, advance)
    if not drop:
        refuse(found.problems, "; what was extracted is kept, the same command goes on from there")
    problems = (*source.problems, *found.problems)
    for problem in problems:
        click.echo(f"left out: {problem}", err=True)
    if problems:
        source = replace(source, notes=(*source.notes, f"{len(problems)} problems of the recordings left out"))
    corpus = to_corpus(source, found.vectors, extractor)
    if select is not None:
        from replicate.features.smile import selected

        corpus = selected(corpus, select)
    archive.write(corpus, out)
    resume.vectors_path(out).unlink(missing_ok=True)
    click.echo(f"{out}: {len(corpus.dialogues)} dialogues, {len(found.vectors)} utterances, hash {corpus.hash}")
    console.suggest("data", "info", str(out))
