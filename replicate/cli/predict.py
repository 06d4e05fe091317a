"""``replicate predict``: emotions from features, by an exported bundle."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from replicate.cli import console

if TYPE_CHECKING:
    from export.predictor import Prediction, Spoken


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="[FILE...]")
@click.option("--int8", is_flag=True, help="Take the quantised model: smaller and faster.")
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout instead of tables.")
@click.option("--csv", "as_csv", is_flag=True, help="CSV on stdout instead of tables.")
@click.option("--stream", is_flag=True, help="Answer utterances from stdin one by one, in place of FILE.")
def predict(bundle: Path, files: tuple[Path, ...], int8: bool, as_json: bool, as_csv: bool, stream: bool) -> None:
    """Print the emotion of every utterance, and how probable the model finds it.

    BUNDLE is the folder that `replicate export onnx` wrote. FILE is a corpus (.npz), a pickle of the COGMEN release
    (.pkl), or a CSV with a row per utterance: dialogue, speaker, features. Needs no PyTorch.

    With --stream, for bundles of causal arms, every line of stdin is answered at once, as CSV or with --json as an
    object a line. Lines are such a CSV, or each an object {"dialogue": ..., "speaker": ..., "features": [...]}.
    Dialogues may interleave; of more than a thousand, the least recently heard is forgotten. The first bad line ends
    it.
    """
    if as_json and as_csv:
        raise click.UsageError("--json and --csv exclude each other")
    if stream and (files or int8):
        raise click.UsageError(f"--stream and {'FILE...' if files else '--int8'} exclude each other")
    if not (stream or files):
        raise click.UsageError("Missing argument 'FILE...', or --stream.")
    from export import predictor as onnx
    from replicate import errors

    try:
        predictor = onnx.Predictor(bundle, int8)
        if stream:
            for answer in onnx.answers(predictor, onnx.stdin_lines(), as_json):
                click.echo(answer, nl=False)  # and flushes
            return
        found = onnx.predict_files(predictor, files, read)
    except onnx.BadBundle as error:
        raise errors.BadBundle(str(error)) from error
    except onnx.BadInput as error:
        raise errors.BadInput(str(error)) from error
    if as_json or as_csv:
        click.echo(onnx.as_json(found) if as_json else onnx.as_csv(found), nl=False)
    else:
        _show(found)


def read(path: Path) -> list[Spoken]:
    """The dialogues of a file in any of the formats.

    Raises:
        BadInput: it is none, or cannot be read. ReplicateError: see the corpus readers.
    """
    from export.predictor import BadInput, Spoken, read_csv
    from replicate.corpus import load

    if not path.is_file():
        raise BadInput(f"no file {path}")
    if path.suffix.lower() == ".csv":
        return read_csv(path)
    if path.suffix not in (".npz", ".pkl"):
        raise BadInput(f"{path} is neither .csv nor .npz nor .pkl")
    corpus = load(path)
    if "audio" not in corpus.widths:
        raise BadInput(f"{path} has no stream 'audio', only {', '.join(corpus.widths)}")
    return [Spoken(d.id, [corpus.speakers[i] for i in d.speakers], d.features["audio"]) for d in corpus.dialogues]


def _show(predictions: list[Prediction]) -> None:
    """A table per dialogue."""
    from rich import box
    from rich.table import Table

    out = console.results()
    for prediction in predictions:
        grid = Table(title=prediction.id, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
        grid.add_column("utterance", justify="right")
        grid.add_column("speaker")
        grid.add_column("emotion")
        for name in ("probability", *prediction.labels):
            grid.add_column(name, justify="right")
        for i, (speaker, emotion) in enumerate(zip(prediction.speakers, prediction.emotions, strict=True)):
            row = prediction.probability[i]
            grid.add_row(str(i + 1), speaker, emotion, f"{row.max():.3f}", *(f"{value:.3f}" for value in row))
        out.print(grid, crop=False)
