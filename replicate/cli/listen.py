"""``replicate listen``: emotions from a microphone, or a recording in its place, as each utterance ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from replicate.cli import console, options

if TYPE_CHECKING:
    from export.demo.live import Prediction, Status
    from export.demo.wave_stream import WaveModel

# Columns of a bar of the most probable emotion's probability, and of the level; the level's lowest dB.
BAR, LEVEL, QUIET = 20, 30, -70.0


@click.command()
@click.argument("bundle", required=False, type=click.Path(path_type=Path))
@click.option(
    "--source",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Play this recording in place of the microphone. With two channels, each is a speaker.",
)
@click.option("--fast", is_flag=True, help="Take --source as fast as it can be decoded, not in real time.")
@click.option("--speaker", metavar="NAME", help="Who speaks, one of the model's speakers. Default: the first.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object for each utterance instead of a line.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV instead of lines.")
def listen(
    bundle: Path | None, source: Path | None, fast: bool, speaker: str | None, as_json: bool, as_csv: bool
) -> None:
    """Predict emotions from the microphone as each utterance ends, until Ctrl-C.

    BUNDLE is a folder of `replicate export onnx` whose model is causal and was trained on `replicate features
    acoustic`; by default the one of the package, which knows acted speech alone. Utterances are found by their energy:
    half a second of silence ends one. Sound is neither kept nor sent anywhere.

    A microphone needs the extra [microphone], a recording the extra [audio].
    """
    if as_json and as_csv:
        raise click.UsageError("--json and --csv exclude each other")
    if fast and source is None:
        raise click.UsageError("--fast needs --source FILE")
    if source is not None:
        options.require_sound()
    from export.demo import sources
    from export.demo.live import follow
    from export.demo.shipped import BUNDLE
    from export.demo.wave_stream import WaveModel
    from export.predictor import BadBundle, BadInput
    from replicate import errors

    try:
        with options.end_when_stuck(errors.BadBundle):
            model = WaveModel(bundle or BUNDLE)
            speakers = _speakers(model, speaker)
            pieces = sources.microphone() if source is None else sources.recording(source, fast, _note)
            name = "microphone" if source is None else source.stem
            with closing(pieces), _shown(model, name, as_json, as_csv) as (answer, status):
                first: list[Any] = []
                found = False
                for one in follow(model, pieces, speakers, status):
                    found = True
                    answer(one)
                    first = _warn(model, name, first, one)
            if not found:
                _note(f"{source}: no speech was found")
    except BadBundle as error:
        raise errors.BadBundle(str(error)) from error
    except BadInput as error:
        raise errors.BadInput(str(error)) from error
    except KeyboardInterrupt:  # it is how a microphone ends; a recording has an end of its own
        raise click.exceptions.Exit(0 if source is None else errors.INTERRUPTED_EXIT_CODE) from None


def _speakers(model: WaveModel, given: str | None) -> list[str]:
    """Return who speaks on the first channel and on the second, if there is one."""
    if given is not None and given not in model.speakers:
        raise click.BadParameter(f"the model knows {', '.join(model.speakers)}", param_hint="--speaker")
    first = given or model.speakers[0]
    return [first, next((name for name in model.speakers if name != first), first)]


@contextmanager
def _shown(
    model: WaveModel, name: str, as_json: bool, as_csv: bool
) -> Iterator[tuple[Callable[[Prediction], None], Callable[[Status], None]]]:
    """Yield what prints a prediction, and what shows the level where a person looks on."""
    from rich.live import Live
    from rich.text import Text

    from export.output import json_text, to_csv

    def answer(one: Prediction) -> None:
        console.detail(f"utterance {one.number}: {one.seconds * 1000:.1f} ms")
        found = one.output(name, model.labels)
        if as_json:
            console.echo(json_text(found, None))
        elif as_csv:
            console.echo(to_csv([found], header=one.number == 1), newline=False)
        else:
            console.echo(_line(one, model.labels))

    screen = console.status()
    if not screen.is_terminal or screen.quiet:
        yield answer, lambda status: None
        return
    with Live(Text(""), console=screen, transient=True, auto_refresh=False, redirect_stdout=True) as live:

        def status(now: Status) -> None:
            live.update(Text(_level(now)), refresh=True)

        yield answer, status


def _warn(model: WaveModel, name: str, first: list[Any], one: Prediction) -> list[Any]:
    """Print a line as soon as the first utterances show that the sound is unlike that of the training.

    Args:
        first: features of the utterances before, empty once the line was printed.

    Returns:
        The same with the features of this utterance.
    """
    from export.distance import FIRST

    if one.number != len(first) + 1 or one.number > FIRST:
        return first
    far = model.far_away({name: [*first, one.features]})
    if far:
        _note(far)
    return [] if far else [*first, one.features]


def _note(text: str) -> None:
    console.note(f"note: {text}")


def _line(one: Prediction, labels: list[str]) -> str:
    """Return a prediction on a line: times, speaker, emotion, probability."""
    from export.audio.timeline import clock

    best = int(one.probabilities.argmax())
    share = float(one.probabilities[best])
    width = max(map(len, labels))
    bar = "█" * round(share * BAR)
    return f"{clock(one.start)}  {clock(one.end)}  {one.speaker}  {labels[best]:{width}}  {share:.3f}  {bar}"


def _level(now: Status) -> str:
    """Return time, level and whether there is speech."""
    from export.audio.timeline import clock

    size = round(LEVEL * min(1.0, max(0.0, 1 - now.level / QUIET)))
    what = "speech" if now.speaking else "silence"
    return f"{clock(now.seconds)}  {'█' * size}{'░' * (LEVEL - size)}  {what}  (Ctrl-C ends)"
