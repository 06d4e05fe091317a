"""``replicate features``: extract feature streams from recordings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from replicate.cli import console, options

if TYPE_CHECKING:
    from replicate.features.extract import Extractor
    from replicate.features.sentences import SentenceEncoder
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


def _extraction(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(_EXTRACTION):
        command = option(command)
    return click.argument("source", metavar="SOURCE", type=click.Path(path_type=Path))(command)


@click.group()
def features() -> None:
    """Extract features from recordings or transcripts into a corpus file.

    SOURCE is a folder of .wav and .flac files with a CSV, one recording with --segments, or the root of the IEMOCAP
    release. Recordings need the optional packages [audio]; they are mixed to one channel and resampled to 16 kHz. To
    resume an interrupted extraction, run the same command again.
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


@features.command("acoustic")
@_extraction
def acoustic_(source: Path, **others: Any) -> None:
    """Extract functionals of our own, as stream audio: mel bands, cepstrum, loudness, pitch and voicing.

    They need no other program and no other licence, and can be part of an exported model.
    """
    options.require_audio()
    from replicate.features.acoustic import AcousticExtractor

    _run(source, AcousticExtractor, **others)


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


@features.command("text")
@click.argument("source", metavar="SOURCE", type=click.Path(path_type=Path))
@options.out_file
@click.option(
    "--table",
    type=click.Path(path_type=Path, dir_okay=False),
    help="CSV of a folder's utterances. Default: the one CSV in the folder.",
)
@click.option("--column", default="text", show_default=True, help="Column of the CSV with the text.")
@click.option(
    "--like",
    metavar="NAME|PATH",
    help="Corpus whose dialogues, speakers, labels and splits to take, by the names of its utterances; a CSV then "
    "needs columns utterance and text alone.",
)
@click.option("--columns", type=click.IntRange(1), help="Columns to keep of TF-IDF. [default: 100]")
@click.option(
    "--encoder",
    metavar="FOLDER|NAME",
    help="Sentence encoder of the transformers library, in place of TF-IDF: a folder, or a name on the hub.",
)
@click.option("--revision", metavar="COMMIT", help="Commit of an encoder on the hub; a name needs it.")
@click.option("--download", is_flag=True, help="Fetch an encoder from the hub; without this, nothing is fetched.")
@click.option(
    "--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True, help="Where to compute."
)
@click.option("--classes", type=click.Choice(["4", "6"]), default="4", show_default=True, help="Classes of IEMOCAP.")
@click.option("--allow-other-counts", is_flag=True, help="Accept a copy of IEMOCAP that is not the whole release.")
@click.option("--drop", is_flag=True, help="Leave out utterances without text, and name them.")
@click.option("--allow-empty", is_flag=True, help="Take the text of utterances without one as empty.")
@options.force
@options.config_dir
def text_(source: Path, out: Path, drop: bool, allow_empty: bool, force: bool, **others: Any) -> None:
    """Extract features of transcripts, as stream text: TF-IDF and SVD fitted on the training split, or --encoder.

    SOURCE is a CSV with dialogue, utterance, speaker, text and maybe label, split and start, a folder with one, or the
    root of the IEMOCAP release. TF-IDF counts words and pairs of words that are in at least 2 training texts.
    """
    if drop and allow_empty:
        raise click.UsageError("--drop and --allow-empty exclude each other")
    if others["encoder"] is None and (others["revision"] or others["download"]):
        raise click.UsageError("--revision and --download are for --encoder")
    if others["encoder"] is not None and others["columns"] is not None:
        raise click.UsageError("--columns is for TF-IDF, not for --encoder")
    options.check_new(out, force, "--out")
    if others["encoder"] is not None:
        options.require_audio()
    _text(source, out, drop, allow_empty, **others)


def _text(
    path: Path,
    out: Path,
    drop: bool,
    allow_empty: bool,
    like: str | None,
    classes: str,
    columns: int | None,
    encoder: str | None,
    revision: str | None,
    download: bool,
    device: str,
    **source_options: Any,
) -> None:
    """Find the transcripts of the source, extract their features, and write the corpus."""
    from dataclasses import replace

    from replicate.corpus import archive, load
    from replicate.features import tfidf, transcripts
    from replicate.features.assemble import to_corpus
    from replicate.features.source import refuse

    found = transcripts.read(path, like=load(like) if like else None, classes=int(classes), **source_options)
    if not drop:
        refuse(found.source.problems)
    _tell(found.source)
    (source, texts), without = transcripts.complete(found, drop, allow_empty)
    extractor: tfidf.Tfidf | SentenceEncoder
    if encoder is None:
        training = [texts[one] for one in source.utterances if one.split == "train"]
        extractor = tfidf.Tfidf(training, columns or tfidf.COLUMNS)
    else:
        from replicate.features import sentences

        extractor = sentences.SentenceEncoder(encoder, revision, download, device)
    vectors = dict(zip(source.utterances, extractor([texts[one] for one in source.utterances]), strict=True))
    if not isinstance(extractor, tfidf.Tfidf) and extractor.truncated:
        console.note(f"{console.count(extractor.truncated, 'text')} longer than the encoder's input: cut at its end")
    if without:
        what = "dropped" if drop else "taken as empty"
        for one in without:
            console.note(f"{what}, no text: {one.dialogue}/{one.name}")
        source = replace(source, notes=(*source.notes, f"{len(without)} utterances without text {what}"))
    archive.write(corpus := to_corpus(source, vectors, extractor), out)
    console.echo(f"{out}: {len(corpus.dialogues)} dialogues, {len(vectors)} utterances, hash {corpus.hash}")
    console.suggest("data", "merge", like or "CORPUS", str(out), "--stream", "text", "--out", "merged.npz")


def _tell(source: Source) -> None:
    """Print the warnings and notes of a source before its features are extracted, which may take hours."""
    for warning in source.warnings:
        console.note(f"warning: {warning}")
    for note in source.notes:
        console.note(f"note: {note}")


def _run(
    path: Path,
    make: Callable[[], Extractor],
    out: Path,
    drop: bool,
    force: bool,
    classes: str,
    like: str | None,
    select: int | None = None,
    **source_options: Any,
) -> None:
    """Find the utterances of the source, extract their features, and write the corpus."""
    from dataclasses import replace

    from replicate.corpus import archive, load
    from replicate.features import resume
    from replicate.features.assemble import check_names, to_corpus
    from replicate.features.extract import extract
    from replicate.features.read import read
    from replicate.features.source import measure, refuse
    from replicate.report import progress

    options.check_new(out, force, "--out")
    other = load(like) if like else None
    source, seconds = measure(read(path, classes=int(classes), like=other, **source_options))
    if not drop:
        refuse(source.problems)
    check_names(source)
    _tell(source)
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
    for warning in found.warnings:
        console.note(f"warning: {warning}")
    corpus = to_corpus(replace(source, notes=(*source.notes, *found.warnings)), found.vectors, extractor)
    if select is not None:
        from replicate.features.smile import selected

        corpus = selected(corpus, select)
    archive.write(corpus, out)
    resume.vectors_path(out).unlink(missing_ok=True)
    console.echo(f"{out}: {len(corpus.dialogues)} dialogues, {len(found.vectors)} utterances, hash {corpus.hash}")
    console.suggest("data", "info", str(out))
