"""``replicate predict``: emotions from features or from recordings, by an exported bundle."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from replicate.cli import console, options

if TYPE_CHECKING:
    from export.audio.timeline import Timeline
    from export.predictor import Prediction, Predictor


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="[FILE...]")
@click.option("--int8", is_flag=True, help="Take the quantised model: smaller and faster.")
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout instead of tables.")
@click.option("--csv", "as_csv", is_flag=True, help="CSV on stdout instead of tables.")
@click.option("--vtt", "as_vtt", is_flag=True, help="WebVTT on stdout, for one dialogue of --audio.")
@click.option("--stream", is_flag=True, help="Answer utterances from stdin one by one, in place of FILE.")
@click.option(
    "--audio",
    type=click.Path(path_type=Path),
    metavar="SOURCE",
    help="Recordings in place of FILE: whatever `replicate features` takes.",
)
@options.recordings
@click.option(
    "--speaker",
    "speakers",
    multiple=True,
    metavar="NAME=KNOWN",
    help="Who of the recordings is whom that the model knows, such as SPEAKER_00=F. As often as needed.",
)
@click.option("--model", help="Where the HuBERT model of the bundle's training lies by now.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", help="Where HuBERT computes.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the timelines of --audio: table, JSON, WebVTT and a picture of each dialogue.",
)
def predict(
    bundle: Path,
    files: tuple[Path, ...],
    int8: bool,
    as_json: bool,
    as_csv: bool,
    as_vtt: bool,
    stream: bool,
    audio: Path | None,
    **listening: Any,
) -> None:
    """Print the emotion of every utterance, and how probable the model finds it.

    BUNDLE is the folder that `replicate export onnx` wrote. FILE is a corpus (.npz), a pickle of the COGMEN release
    (.pkl), or a CSV with a row per utterance: dialogue, speaker, features. Needs no PyTorch.

    With --audio, features are extracted from recordings as those of the bundle's training were, and answers have times.
    Needs the extra [audio].

    With --stream, for bundles of causal arms, every line of stdin is answered at once, as CSV or with --json as an
    object a line. Lines are such a CSV, or each an object {"dialogue": ..., "speaker": ..., "features": [...]}.
    Dialogues may interleave; of more than a thousand, the least recently heard is forgotten. The first bad line ends
    it.
    """
    if as_json + as_csv + as_vtt > 1:
        raise click.UsageError("--json, --csv and --vtt exclude each other")
    if stream and int8:
        raise click.UsageError("--stream and --int8 exclude each other")
    if bool(files) + stream + (audio is not None) != 1:
        raise click.UsageError("Give FILE..., or --audio SOURCE, or --stream: one of them.")
    _only_with_audio(audio, as_vtt, listening)
    if audio is not None:
        options.require_audio()
    from export import predictor as onnx
    from export.inputs import read
    from replicate import errors

    try:
        predictor = onnx.Predictor(bundle, int8)
        if stream:
            for answer in onnx.answers(predictor, onnx.stdin_lines(), as_json):
                click.echo(answer, nl=False)  # and flushes
            return
        if audio is not None:
            _hear(predictor, audio, as_json, as_csv, as_vtt, **listening)
            return
        found = onnx.predict_files(predictor, files, lambda path: read(path, predictor))
    except onnx.BadBundle as error:
        raise errors.BadBundle(str(error)) from error
    except onnx.BadInput as error:
        raise errors.BadInput(str(error)) from error
    if as_json or as_csv:
        click.echo(onnx.as_json(found) if as_json else onnx.as_csv(found), nl=False)
    else:
        _show(found)


def _only_with_audio(audio: Path | None, as_vtt: bool, listening: dict[str, Any]) -> None:
    given = [f"--{name.replace('_', '-')}" for name, value in listening.items() if value and value != "auto"]
    if audio is None and (as_vtt or given):
        raise click.UsageError(f"{'--vtt' if as_vtt else given[0].replace('speakers', 'speaker')} is of --audio SOURCE")


def _hear(
    predictor: Predictor,
    audio: Path,
    as_json: bool,
    as_csv: bool,
    as_vtt: bool,
    speakers: Sequence[str],
    drop: bool,
    model: str | None,
    device: str,
    out: Path | None,
    **reading: Any,
) -> None:
    """Listen to recordings, print the timeline, and write it to ``out``."""
    from export.audio import timeline as text
    from export.audio.predict import forget, predict_audio
    from replicate.features.read import read as read_source
    from replicate.report import progress

    pairs = [pair.rpartition("=")[::2] for pair in speakers]
    if not all(name and known for name, known in pairs) or len(dict(pairs)) < len(pairs):
        raise click.BadParameter("it is written NAME=KNOWN, once for every NAME", param_hint="--speaker")
    source = read_source(audio, classes=6 if len(predictor.labels) == 6 else 4, allow_other_counts=True, **reading)
    dialogues = len({utterance.dialogue for utterance in source.utterances})
    if as_vtt and dialogues > 1:
        raise click.UsageError(f"--vtt is of one dialogue, and here are {dialogues}: take --out DIR")
    keep = out / "timeline" if out else None
    found = predict_audio(
        predictor,
        source,
        dict(pairs),
        drop,
        model,
        device,
        keep,
        lambda total: progress.steady("listening", total, console.status()),
    )
    for problem in found.left_out:
        click.echo(f"left out: {problem}", err=True)
    for note in found.notes:
        click.echo(f"note: {note}", err=True)
    if as_json or as_csv or as_vtt:
        click.echo(text.as_json(found) if as_json else text.as_csv(found) if as_csv else text.as_vtt(found), nl=False)
    else:
        _show_timeline(found)
    if out and keep:
        from export.audio.files import write

        with progress.steady("drawing", len(found.dialogues), console.status()) as advance:
            paths = write(found, out, advance)
        forget(keep)
        click.echo(f"{out}: {', '.join(path.name for path in paths[:6])}{', ...' if len(paths) > 6 else ''}", err=True)


def _show(predictions: list[Prediction]) -> None:
    """A table per dialogue."""
    for prediction in predictions:
        rows = [
            (str(i + 1), speaker, emotion, *(f"{value:.3f}" for value in (row.max(), *row)))
            for i, (speaker, emotion, row) in enumerate(
                zip(prediction.speakers, prediction.emotions, prediction.probability, strict=True)
            )
        ]
        _grid(prediction.id, ("utterance", "speaker", "emotion", "probability", *prediction.labels), rows)


def _show_timeline(timeline: Timeline) -> None:
    """A table per dialogue."""
    from export.audio.timeline import clock

    for name, dialogue in timeline.dialogues.items():
        rows = [
            (
                clock(turn.start),
                clock(turn.stop),
                turn.speaker,
                timeline.emotion(turn),
                *(f"{value:.3f}" for value in (max(turn.probability), *turn.probability)),
            )
            for turn in dialogue.turns
        ]
        _grid(name, ("start", "end", "speaker", "emotion", "probability", *timeline.labels), rows)


def _grid(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich import box
    from rich.table import Table

    grid = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    for name in header:
        grid.add_column(name, justify="left" if name in ("speaker", "emotion") else "right")
    for row in rows:
        grid.add_row(*row)
    console.results().print(grid, crop=False)
