"""What the commands of ``replicate features`` that start from recordings have in common."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from replicate.cli import console, options

if TYPE_CHECKING:
    from replicate.features.extract import Extractor
    from replicate.features.source import Source

_LIKE_HELP = (
    "Corpus whose utterances, labels and splits to take from the IEMOCAP release, such as iemocap4: COGMEN's selection "
    "has 53 utterances that USC's labels leave out."
)
_EXTRACTION = (
    options.out_file,
    options.recordings,
    click.option(
        "--classes", type=click.Choice(["4", "6"]), default="4", show_default=True, help="Emotion classes of IEMOCAP."
    ),
    click.option("--allow-other-counts", is_flag=True, help="Accept a copy of IEMOCAP that is not the whole release."),
    click.option("--like", metavar="NAME|PATH", help=_LIKE_HELP),
    options.force,
)
_ENCODER = (
    click.option(
        "--layer",
        default="last",
        show_default=True,
        help="Hidden state: last, second-to-last, a number (0 is the input of layer 1), or weighted: the sum of all.",
    ),
    click.option("--layer-weights", metavar="W0,W1,...", help="Weights for --layer weighted. Default: equal weights."),
    click.option(
        "--chunk",
        type=click.FloatRange(10),
        default=30.0,
        show_default=True,
        help="Seconds; longer utterances are computed in windows of this length, which overlap by 4 s.",
    ),
    click.option(
        "--batch", type=click.FloatRange(1), default=60.0, show_default=True, help="Seconds of speech per batch."
    ),
    click.option(
        "--device",
        type=click.Choice(["auto", "cpu", "cuda"]),
        default="auto",
        show_default=True,
        help="Where to compute.",
    ),
)


def extraction(command: Callable[..., None]) -> Callable[..., None]:
    """Add SOURCE and the options of every extraction from recordings."""
    for option in reversed(_EXTRACTION):
        command = option(command)
    return click.argument("source", metavar="SOURCE", type=click.Path(path_type=Path))(command)


def encoder_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of speech encoders."""
    for option in reversed(_ENCODER):
        command = option(command)
    return command


def tell(source: Source) -> None:
    """Print the warnings and notes of a source before its features are extracted, which may take hours."""
    for warning in source.warnings:
        console.note(f"warning: {warning}")
    for note in source.notes:
        console.note(f"note: {note}")


def extract(
    path: Path,
    make: Callable[[], Extractor],
    out: Path,
    drop: bool,
    force: bool,
    classes: str,
    like: str | None,
    select: int | None = None,
    stream: str = "audio",
    **source_options: Any,
) -> None:
    """Find the utterances of the source, extract their features, and write the corpus."""
    from dataclasses import replace

    from replicate.corpus import archive, load
    from replicate.features import resume
    from replicate.features.assemble import check_names, to_corpus
    from replicate.features.extract import extract as extract_vectors
    from replicate.features.read import read
    from replicate.features.source import measure, refuse
    from replicate.report import progress

    options.check_new(out, force, "--out")
    other = load(like) if like else None
    source, seconds = measure(read(path, classes=int(classes), like=other, **source_options))
    if not drop:
        refuse(source.problems)
    check_names(source, stream)
    tell(source)
    extractor = make()
    with progress.steady(extractor.stream, sum(seconds), console.status()) as advance:
        found = extract_vectors(source, seconds, extractor, out, advance)
    if not drop:
        refuse(found.problems, "; what was extracted is saved, run the same command again to resume")
    problems = (*source.problems, *found.problems)
    for problem in problems:
        console.note(f"dropped: {problem}")
    if problems:
        source = replace(
            source, notes=(*source.notes, f"{len(problems)} utterances or recordings with problems dropped")
        )
    for warning in found.warnings:
        console.note(f"warning: {warning}")
    corpus = to_corpus(replace(source, notes=(*source.notes, *found.warnings)), found.vectors, extractor)
    if select is not None:
        from replicate.features.informative import selected

        corpus = selected(corpus, select)
    archive.write(corpus, out)
    resume.vectors_path(out).unlink(missing_ok=True)
    console.echo(f"{out}: {len(corpus.dialogues)} dialogues, {len(found.vectors)} utterances, hash {corpus.hash}")
    console.suggest("data", "info", str(out))
