"""``replicate features``: extract feature streams from recordings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from replicate.cli import console, options
from replicate.cli.extraction import encoder_options, extract, extraction, tell

if TYPE_CHECKING:
    from replicate.features.sentences import SentenceEncoder


_select = click.option(
    "--select",
    type=click.IntRange(1),
    help="Number of columns to keep: those with the highest ANOVA F of the classes on the training split.",
)


@click.group()
def features() -> None:
    """Extract features from recordings or transcripts into a corpus file.

    SOURCE is a folder of recordings with a CSV, one recording with --segments, or the root of the IEMOCAP
    release. Recordings need the optional packages [audio]; they are mixed to one channel and resampled to 16 kHz. To
    resume an interrupted extraction, run the same command again.
    """


@features.command("opensmile")
@extraction
@click.option("--set", "feature_set", default="eGeMAPSv02", show_default=True, help="Feature set of openSMILE.")
@_select
def opensmile_(source: Path, feature_set: str, select: int | None, **others: Any) -> None:
    """Extract openSMILE functionals of every utterance, as stream audio."""
    options.require_audio()
    from replicate.features import smile

    if feature_set not in smile.SETS:
        raise click.BadParameter(f"choose one of {', '.join(smile.SETS)}", param_hint="--set")
    extract(source, lambda: smile.Smile(feature_set), select=select, **others)


@features.command("acoustic")
@extraction
@_select
def acoustic_(source: Path, select: int | None, **others: Any) -> None:
    """Extract functionals of our own, as stream audio: mel bands, cepstrum, loudness, pitch and voicing.

    They need no other program and no other licence, and can be part of an exported model.
    """
    options.require_audio()
    from replicate.features.acoustic import AcousticExtractor

    extract(source, AcousticExtractor, select=select, **others)


@features.command("encoder")
@extraction
@click.option("--model", required=True, metavar="FOLDER|NAME", help="Folder with a model, or its name on the hub.")
@encoder_options
@click.option(
    "--stream", metavar="NAME", default="hubert", show_default=True, help="Name of the stream; tables read hubert."
)
def encoder_(source: Path, **others: Any) -> None:
    """Extract the hidden states of a speech encoder, averaged over each utterance.

    Models are those of the transformers library: HuBERT, wav2vec 2.0, WavLM, data2vec, UniSpeech, w2v-BERT and the
    encoder of Whisper, which computes windows of 30 s whatever an utterance's length.
    """
    _encode(source, **others)


@features.command("hubert")
@extraction
@click.option(
    "--model", metavar="FOLDER|NAME", help="As for `features encoder`. [default: facebook/hubert-large-ls960-ft]"
)
@encoder_options
def hubert_(source: Path, **others: Any) -> None:
    """Extract the hidden states of a HuBERT model: `features encoder` with a default model and stream hubert."""
    _encode(source, stream="hubert", **others)


def _encode(
    source: Path,
    model: str | None,
    layer: str,
    layer_weights: str | None,
    chunk: float,
    batch: float,
    device: str,
    stream: str,
    **others: Any,
) -> None:
    if layer_weights is not None and layer != "weighted":
        raise click.UsageError("--layer-weights needs --layer weighted")
    try:
        weights = tuple(float(weight) for weight in (layer_weights or "").split(",") if weight)
    except ValueError as error:
        raise click.BadParameter("give numbers separated by commas", param_hint="--layer-weights") from error
    options.require_audio()
    from replicate.features.encoder import MODEL, Choice, Encoder

    choice = Choice(model or MODEL, layer, weights, chunk)
    extract(source, lambda: Encoder(choice, device, batch, stream), stream=stream, **others)


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
    tell(found.source)
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
