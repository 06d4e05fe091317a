"""``replicate demo``: the bundle of the package, on recordings, or as a page for a browser."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from replicate.cli import console, options

if TYPE_CHECKING:
    from export.audio.timeline import Timeline
    from export.demo.live import Prediction
    from export.demo.wave_stream import WaveModel


@click.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="[FILE...]")
@click.option(
    "--bundle",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="A bundle of your own: its model is causal and was trained on `replicate features acoustic`.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables (docs/prediction.schema.json).")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV instead of tables.")
@click.option(
    "--page",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write a page for a browser to this folder instead; an earlier page there is replaced.",
)
@click.option(
    "--onnxruntime-web",
    "package",
    type=click.Path(path_type=Path),
    metavar="FOLDER|TGZ",
    help="The npm package onnxruntime-web for --page. Default: npm fetches it.",
)
def demo(
    files: tuple[Path, ...], bundle: Path | None, as_json: bool, as_csv: bool, page: Path | None, package: Path | None
) -> None:
    """Predict the emotions of recordings with the model of this package: no training, no download.

    FILE is a recording, such as a .wav, .flac, .ogg or .mp3. Utterances are found by their energy; of a recording
    with two channels, each is a speaker. This needs the extra [audio].

    With --page, the same for files and the microphone in a browser: a folder that needs no network. npm fetches
    onnxruntime-web once to write it.
    """
    if as_json and as_csv:
        raise click.UsageError("--json and --csv exclude each other")
    if page is not None and (files or as_json or as_csv):
        raise click.UsageError("--page takes no FILE, --json or --csv")
    if package is not None and page is None:
        raise click.UsageError("--onnxruntime-web needs --page DIR")
    if page is None and not files:
        _print_usage()
        return
    if files:
        options.require_sound()
    from export.demo.shipped import BUNDLE
    from export.predictor import BadBundle, BadInput
    from replicate import errors

    try:
        with options.end_when_stuck(errors.BadBundle):
            if page is not None:
                _write_page(bundle or BUNDLE, page, package)
            else:
                _predict(bundle or BUNDLE, files, as_json, as_csv)
    except BadBundle as error:
        raise errors.BadBundle(str(error)) from error
    except BadInput as error:
        raise errors.BadInput(str(error)) from error


def _print_usage() -> None:
    """Say what can be done without a recording."""
    console.echo("Give a recording of speech, or use the microphone:")
    console.echo("  replicate demo FILE.wav        emotions of its utterances")
    console.echo("  replicate demo --page page     a page for a browser: then open page/index.html")
    console.echo("  replicate listen               the microphone, in this terminal")


def _predict(bundle: Path, files: tuple[Path, ...], as_json: bool, as_csv: bool) -> None:
    from export.demo.shipped import limits
    from export.demo.wave_stream import WaveModel
    from export.output import to_csv, to_json
    from replicate.cli.predict import print_timeline

    model = WaveModel(bundle)
    found = _predictions(model, files)
    if as_json or as_csv:
        utterances = [one.output(name, model.labels) for name, predictions in found.items() for one in predictions]
        console.echo(to_json(utterances) if as_json else to_csv(utterances), newline=False)
    elif any(found.values()):
        print_timeline(_timeline(model, found))
    far = model.far_away({name: [one.features for one in predictions] for name, predictions in found.items()})
    if far:
        _note(far)
    speech = [path for path, predictions in zip(files, found.values(), strict=True) if predictions]
    for path in files:
        if path not in speech:
            _note(f"{path}: no speech was found")
    console.note(limits(bundle, model.metadata))
    if speech and not as_json and not as_csv:
        console.suggest("predict", bundle, "--audio", speech[0], "--segments", "vad", "--out", "timeline")


def _note(text: str) -> None:
    console.note(f"note: {text}")


def _predictions(model: WaveModel, files: tuple[Path, ...]) -> dict[str, list[Prediction]]:
    """Predict recordings, each a dialogue of its own; names that occur twice are numbered."""
    from export.demo.live import follow
    from export.demo.sources import recording

    speakers = model.speakers[:2] if len(model.speakers) > 1 else model.speakers * 2
    found: dict[str, list[Prediction]] = {}
    for path in files:
        name, number = path.stem, 2
        while name in found:
            name, number = f"{path.stem} {number}", number + 1
        found[name] = list(follow(model, recording(path, fast=True, note=_note), speakers))
    return found


def _timeline(model: WaveModel, found: dict[str, list[Prediction]]) -> Timeline:
    from export.audio.timeline import Segment, Timeline

    segments = [
        Segment(name, one.number, one.speaker, one.start, one.end, tuple(one.probabilities.tolist()))
        for name, predictions in found.items()
        for one in predictions
    ]
    return Timeline(tuple(model.labels), tuple(segments))


def _write_page(bundle: Path, page: Path, package: Path | None) -> None:
    from export.demo import page_folder
    from export.demo.runtime import runtime
    from export.demo.wave_stream import WaveModel

    WaveModel(bundle)  # before npm fetches anything
    page_folder.require_replaceable(page.resolve())
    with console.status().status("fetching onnxruntime-web" if package is None else "writing the page"):
        found = runtime(package)
    path = page_folder.write(bundle, found, page)
    console.echo(path)
    console.note("Open it in a browser, or serve the folder, for example with: python -m http.server -d " + str(page))
