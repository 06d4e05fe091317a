"""``replicate predict``: emotions from features or from recordings, with an exported bundle."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from replicate.cli import calls, console, options

if TYPE_CHECKING:
    from export.audio.timeline import Timeline
    from export.distance import Distance
    from export.predictor import Prediction, Predictor, UtterancePrediction


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="[FILE...]")
@options.config_dir
@click.option("--int8", is_flag=True, help="Use the quantised model: smaller and faster.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables (docs/prediction.schema.json).")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV instead of tables.")
@click.option("--vtt", "as_vtt", is_flag=True, help="Print WebVTT subtitles, for one dialogue of --audio.")
@click.option(
    "--format",
    "formats",
    multiple=True,
    metavar="NAME",
    help="With --out, add files in a format; without, print it instead of tables: csv, json, tsv, vtt, srt, textgrid "
    "(Praat), eaf (ELAN), whisperx or rttm. For --audio. Repeatable.",
)
@click.option(
    "--normalise",
    type=click.Choice(["recording", "speaker"]),
    help="Adapt mean and scale of the features from each recording, or from each speaker in it.",
)
@click.option("--stream", is_flag=True, help="Predict each line of stdin as it arrives, instead of FILE.")
@click.option(
    "--audio",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="SOURCE",
    help="Predict from recordings instead of FILE: a recording, several (repeat the option, or a pattern), a folder of "
    "them, or any SOURCE of `replicate features`.",
)
@click.option(
    "--segments",
    multiple=True,
    metavar="LIST|vad",
    help="Segments of each recording, in their order, or one RTTM for all; formats are those of `replicate features`. "
    "vad: find speech by voice activity detection. Default: a list next to the recording that is named like it or "
    "names it, or else vad, and with --channels vad.",
)
@click.option(
    "--channels",
    metavar="NAME,NAME",
    help="Speaker of each channel, such as agent,customer: every utterance is read from its speaker's channel.",
)
@options.table
@options.drop
@click.option(
    "--speaker",
    "speakers",
    multiple=True,
    metavar="NAME=KNOWN",
    help="Speaker NAME of the recordings is the model's speaker KNOWN, such as SPEAKER_00=F. Repeatable.",
)
@click.option("--model", help="The speech encoder, if it is no longer where it was in training.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", help="Where to run it.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the timeline of --audio: CSV, JSON, distances from the training, and for each dialogue WebVTT and "
    "a figure.",
)
def predict(
    bundle: Path,
    files: tuple[Path, ...],
    int8: bool,
    as_json: bool,
    as_csv: bool,
    as_vtt: bool,
    stream: bool,
    audio: tuple[Path, ...],
    normalise: str | None,
    **recording: Any,
) -> None:
    """Predict the emotion of every utterance, with the probability of each.

    BUNDLE is the folder that `replicate export onnx` wrote. FILE is a corpus (.npz), a pickle of the COGMEN release
    (.pkl), a CSV with a row for each utterance: dialogue, speaker, features, or what a corpus reader in --config-dir
    accepts. PyTorch is not needed.

    With --audio, features are extracted from recordings in the same way as those that the model was trained on, and
    each prediction has a start and an end. This needs the extra [audio]. Utterances that overlap are kept and marked.
    Speakers that the model does not know are assigned to its speakers in order of appearance, unless --speaker assigns
    them.

    With --stream, each line of stdin is predicted at once, as a line of CSV or, with --json, as an object. Lines are
    such a CSV, or objects {"dialogue": ..., "speaker": ..., "features": [...]}. The bundle's arm must be causal.
    At most 1,000 dialogues may be interleaved; with more, the state of the least recently used one is dropped. The
    first wrong line ends the stream.
    """
    printed = tuple(name for name, given in (("json", as_json), ("csv", as_csv), ("vtt", as_vtt)) if given)
    if len(printed) > 1:
        raise click.UsageError("--json, --csv and --vtt exclude each other")
    if stream and (int8 or normalise):
        raise click.UsageError(f"--stream and {'--int8' if int8 else '--normalise'} exclude each other")
    files, audio = calls.inputs(files, audio)
    if bool(files) + stream + bool(audio) != 1:
        raise click.UsageError("Give one of FILE..., --audio SOURCE and --stream.")
    _check_audio_options(bool(audio), as_vtt, recording)
    from export import program
    from export.inputs import read
    from export.lines import stdin_lines
    from export.predictor import Predictor

    with _own_errors():
        predictor = Predictor(bundle, int8)
        if stream:
            for line in program.predict_lines(predictor, stdin_lines(), as_json, warn=_note):
                console.echo(line, newline=False)  # click.echo flushes
            return
        if audio:
            _predict_audio(predictor, audio, printed, normalise, **recording)
            return
        found = program.predict_files(predictor, files, lambda path: read(path, predictor), normalise)
    for text in program.notes(predictor, found, normalise):
        _note(text)
    _print_distance([(prediction.id, prediction.distance) for prediction in found], predictor)
    if as_json or as_csv:
        _print([utterance for prediction in found for utterance in prediction.utterances()], as_json)
    else:
        _print_tables(found)


@contextmanager
def _own_errors() -> Iterator[None]:
    """Raise the errors of bundles, which do not need this package, as those of this package."""
    from export.predictor import BadBundle, BadInput
    from replicate import errors

    try:
        with options.end_when_stuck(errors.BadBundle):
            yield
    except BadBundle as error:
        raise errors.BadBundle(str(error)) from error
    except BadInput as error:
        raise errors.BadInput(str(error)) from error


def _print_distance(found: Sequence[tuple[str, Distance | None]], predictor: Predictor) -> None:
    """Print one status line on how far the farthest dialogue lies from the training, where no note says it."""
    from export.distance_table import status

    line = status(found, predictor.metadata)
    if line:
        console.note(line)


def _note(text: str) -> None:
    console.note(f"note: {text}")


def _check_audio_options(audio: bool, as_vtt: bool, recording: dict[str, Any]) -> None:
    """Refuse options of --audio without it, and formats that do not exist or cannot be written."""
    names = {"speakers": "speaker", "formats": "format"}
    options_given = [names.get(name, name) for name, value in recording.items() if value and value != "auto"]
    if not audio and (as_vtt or options_given):
        option = "vtt" if as_vtt else options_given[0].replace("_", "-")
        raise click.UsageError(f"--{option} needs --audio SOURCE")
    if recording["formats"]:
        from export.audio.formats.registry import check

        check(recording["formats"])
    if audio:
        options.require_audio()


def _predict_audio(
    predictor: Predictor,
    audio: Sequence[Path],
    printed: tuple[str, ...],
    normalise: str | None,
    formats: tuple[str, ...],
    speakers: Sequence[str],
    drop: bool,
    model: str | None,
    device: str,
    out: Path | None,
    **segmentation: Any,
) -> None:
    """Predict from recordings, print the timeline, and write it to ``out``.

    Args:
        printed: name of the format to print, if it is not a table.
        formats: further ones of the files in ``out``; without a folder, one that is printed.
    """
    from export.audio.formats.registry import FORMATS
    from export.audio.predict import forget, predict_audio
    from replicate.report import progress

    pairs = [pair.rpartition("=")[::2] for pair in speakers]
    if not all(name and known for name, known in pairs) or len(dict(pairs)) < len(pairs):
        raise click.BadParameter("write it as NAME=KNOWN, once for each NAME", param_hint="--speaker")

    def shown(total: float, what: str = "extracting features") -> Any:
        return progress.steady(what, total, console.status())

    classes = 6 if len(predictor.labels) == 6 else 4
    source = calls.source(audio, classes, lambda total: shown(total, "finding speech"), **segmentation)
    dialogues = len({utterance.dialogue for utterance in source.utterances})
    if not out:
        printed = (*printed, *formats)
    if len(printed) > 1:
        raise click.UsageError("only one format can be printed: use --out DIR for several")
    if dialogues > 1 and printed and not FORMATS[printed[0]].several:
        raise click.UsageError(f"{printed[0]} is for one dialogue, but {source.name} has {dialogues}: use --out DIR")
    keep = out / "timeline" if out else None

    found = predict_audio(predictor, source, dict(pairs), drop, model, device, keep, shown, normalise)
    for problem in found.left_out:
        console.note(f"left out: {problem}")
    for note in found.notes:
        console.note(f"note: {note}")
    _print_distance(list(found.distances.items()), predictor)
    for name in dict.fromkeys((*printed, *formats)):
        if FORMATS[name].note:
            console.note(f"note: {FORMATS[name].note}")
    if printed:
        console.echo(FORMATS[printed[0]].text(found), newline=False)
    else:
        print_timeline(found)
    if out and keep:
        _write_timeline(found, out, formats)
        forget(keep)


def _write_timeline(timeline: Timeline, out: Path, formats: Sequence[str]) -> None:
    from export.audio.files import write
    from replicate.report import progress

    with progress.steady("drawing", len(timeline.dialogues), console.status()) as advance:
        paths = write(timeline, out, advance, formats)
    console.note(f"{out}: {', '.join(path.name for path in paths[:6])}{', ...' if len(paths) > 6 else ''}")


def _print(utterances: Sequence[UtterancePrediction], as_json: bool) -> None:
    from export.output import to_csv, to_json

    console.echo(to_json(utterances) if as_json else to_csv(utterances), newline=False)


def _print_tables(predictions: Sequence[Prediction]) -> None:
    """Print a table for each dialogue."""
    from replicate.grids import long_terminal

    screen = console.results()
    for prediction in predictions:
        titles = ("utterance", "speaker", "emotion", "probability", *prediction.labels)
        rows = zip(prediction.speakers, prediction.emotions, prediction.probabilities.tolist(), strict=True)
        lines = [
            (str(number), speaker, emotion, *(f"{value:.3f}" for value in (max(row), *row)))
            for number, (speaker, emotion, row) in enumerate(rows, prediction.first)
        ]
        screen.print(long_terminal(titles, lines, screen.width, left=3, title=prediction.id), crop=False)


def print_timeline(timeline: Timeline) -> None:
    """Print a table for each dialogue."""
    from export.audio.timeline import clock
    from replicate.grids import long_terminal

    screen = console.results()
    marked = any(one.overlap for one in timeline.segments)
    titles = ("start", "end", "speaker", "emotion", "probability", *timeline.labels, *(["overlap"] if marked else []))
    for name, dialogue in timeline.dialogues.items():
        lines = [
            (
                clock(one.start),
                clock(one.end),
                one.speaker,
                timeline.emotion(one),
                *(f"{value:.3f}" for value in (max(one.probabilities), *one.probabilities)),
                *([f"{one.overlap:.2f} s" if one.overlap else ""] if marked else []),
            )
            for one in dialogue.segments
        ]
        screen.print(long_terminal(titles, lines, screen.width, left=4, title=name), crop=False)
