"""``replicate features``: extract feature streams from recordings."""

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
        "--classes", type=click.Choice(["4", "6"]), default="4", show_default=True, help="Emotion classes of IEMOCAP."
    ),
    click.option("--allow-other-counts", is_flag=True, help="Accept a copy of IEMOCAP that is not the whole release."),
    options.force,
)


def _extraction(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(_EXTRACTION):
        command = option(command)
    return click.argument("source", metavar="SOURCE", type=click.Path(path_type=Path))(command)


@click.group()
def features() -> None:
    """Extract features from recordings into a corpus file; needs the optional packages [audio].

    SOURCE is a folder of .wav and .flac files with a CSV, one recording with --segments, or the root of the IEMOCAP
    release. Recordings are mixed to one channel and resampled to 16 kHz. To resume an interrupted extraction, run the
    same command again.
    """


@features.command("opensmile")
@_extraction
@click.option("--set", "feature_set", default="eGeMAPSv02", show_default=True, help="Feature set of openSMILE.")
@click.option(
    "--select",
    type=click.IntRange(1),
    help="Number of columns to keep: those with the highest ANOVA F of the classes on the training split.",
)
def opensmile_(source: Path, feature_set: str, select: int | None, **others: Any) -> None:
    """Extract openSMILE functionals of every utterance, as stream audio."""
    options.require_audio()
    from replicate.features import smile

    if feature_set not in smile.SETS:
        raise click.BadParameter(f"choose one of {', '.join(smile.SETS)}", param_hint="--set")
    _run(source, lambda: smile.Smile(feature_set), select=select, **others)


@features.command("hubert")
@_extraction
@click.option(
    "--model",
    help="Folder with a HuBERT model, or its name on the hub. [default: facebook/hubert-large-ls960-ft]",
)
@click.option(
    "--layer",
    default="last",
    show_default=True,
    help="Hidden state: last, second-to-last, a number (0 is the input of layer 1), or weighted: the sum of all.",
)
@click.option("--layer-weights", metavar="W0,W1,...", help="Weights for --layer weighted. Default: equal weights.")
@click.option(
    "--chunk",
    type=click.FloatRange(10),
    default=30.0,
    show_default=True,
    help="Seconds; longer utterances are computed in windows of this length, which overlap by 4 s.",
)
@click.option("--batch", type=click.FloatRange(1), default=60.0, show_default=True, help="Seconds of speech per batch.")
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
    """Extract the hidden states of a HuBERT model, averaged over each utterance, as stream hubert."""
    if layer_weights is not None and layer != "weighted":
        raise click.UsageError("--layer-weights needs --layer weighted")
    try:
        weights = tuple(float(weight) for weight in (layer_weights or "").split(",") if weight)
    except ValueError as error:
        raise click.BadParameter("give numbers separated by commas", param_hint="--layer-weights") from error
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
    **source_options: Any,
) -> None:
    """Find the utterances of the source, extract their features, and write the corpus."""
    from dataclasses import replace

    from replicate.corpus import archive
    from replicate.features import resume
    from replicate.features.extract import extract, to_corpus
    from replicate.features.read import read
    from replicate.features.source import measure, refuse
    from replicate.report import progress

    options.check_new(out, force, "--out")
    source, seconds = measure(read(path, classes=int(classes), **source_options))
    if not drop:
        refuse(source.problems)
    for warning in source.warnings:
        console.note(f"warning: {warning}")
    extractor = make()
    with progress.steady(extractor.stream, sum(seconds), console.status()) as advance:
        found = extract(source, seconds, extractor, out, advance)
    if not drop:
        refuse(found.problems, "; what was extracted is saved, run the same command again to resume")
    problems = (*source.problems, *found.problems)
    for problem in problems:
        console.note(f"dropped: {problem}")
    if problems:
        source = replace(
            source, notes=(*source.notes, f"{len(problems)} utterances or recordings with problems dropped")
        )
    corpus = to_corpus(source, found.vectors, extractor)
    if select is not None:
        from replicate.features.smile import selected

        corpus = selected(corpus, select)
    archive.write(corpus, out)
    resume.vectors_path(out).unlink(missing_ok=True)
    click.echo(f"{out}: {len(corpus.dialogues)} dialogues, {len(found.vectors)} utterances, hash {corpus.hash}")
    console.suggest("data", "info", str(out))
