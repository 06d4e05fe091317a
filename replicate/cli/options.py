"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from replicate.cli import console
from replicate.errors import CannotWrite, MissingExtra, ReplicateError

if TYPE_CHECKING:
    from replicate.store.store import Store

# Where `replicate run` keeps completed runs unless --out or --store says otherwise.
RUNS = Path("results/runs")
# Where commands that only look at the runs of an address download them, each address to a folder of its own.
CACHES = RUNS.with_name(".cache")

out_file = click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="Corpus file to write; it ends in .npz.",
)
force = click.option("--force", is_flag=True, help="Replace the file of --out where it exists.")


def check_new(out: Path, force: bool, hint: str) -> None:
    """Refuse an output path that does not end in .npz, or that exists, unless ``force``."""
    if out.suffix != ".npz":
        raise click.BadParameter("it must end in .npz", param_hint=hint)
    if out.exists() and not force:
        raise CannotWrite(f"{out} exists: choose another name, or replace it with --force")


results = click.option(
    "--results",
    type=click.Path(path_type=Path),
    default=Path("results"),
    show_default=True,
    help="Results folder, or a folder that contains several, of which the newest is used.",
)


def _use_folders(_context: click.Context, _parameter: click.Parameter, given: tuple[Path, ...]) -> None:
    from replicate.config import folders

    folders.use(given)


# None: weighted F1, or in `replicate report` what the tables show already.
metric = click.option(
    "--metric",
    type=click.Choice(["weighted_f1", "accuracy", "ua", "macro_f1", "ece"]),
    help="What tables and figures show: weighted F1 (the paper's, the default), accuracy (WA), unweighted recall (UA), "
    "macro F1, or the expected calibration error. scores.csv holds all.",
)

config_dir = click.option(
    "--config-dir",
    type=click.Path(path_type=Path),
    multiple=True,
    envvar="REPLICATE_CONFIG_DIR",
    show_envvar=True,
    metavar="DIR",
    expose_value=False,
    callback=_use_folders,
    help="Folder with arms, tables, protocols (TOML) and plugins (Python) of your own; may be repeated.",
)

run_store = click.option(
    "--store",
    "where",
    default=str(RUNS),
    show_default=True,
    metavar="FOLDER|ADDRESS",
    help="Where completed runs are kept: a folder, or an fsspec address, whose runs are first downloaded to a folder "
    f"of {CACHES}.",
)


def open_runs(where: str, must_exist: bool = False, cache: Path | None = None) -> Store:
    """Return the store of ``run_store``; with ``must_exist``, refuse a folder that does not exist.

    Otherwise a check of a mistyped path would report an empty store without damage. ``cache`` is the folder that the
    runs of an address are downloaded to, by default one that the next command uses, too.
    """
    from hashlib import sha256

    from replicate.store import open_store
    from replicate.store.remote import RemoteStore

    store = open_store(where, cache or CACHES / sha256(where.rstrip("/").encode()).hexdigest()[:20])
    if isinstance(store, RemoteStore):
        number = store.download()
        console.note(f"downloaded {console.count(number, 'run')} from {where} to {store.root}")
    elif must_exist and not store.root.is_dir():
        raise click.UsageError(f"there is no store at {where}: give the folder of the runs with --store")
    return store


table = click.option(
    "--table",
    type=click.Path(path_type=Path, dir_okay=False),
    help="CSV of a folder's utterances: dialogue, utterance, speaker, maybe label, split and start. "
    "Default: the one CSV in the folder.",
)
drop = click.option("--drop", is_flag=True, help="Leave out utterances that cannot be extracted, and name them.")
_segments = click.option(
    "--segments",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Segments of one long recording: CSV with start and end in seconds and speaker, RTTM, Praat's TextGrid, "
    "ELAN's EAF, or JSON of WhisperX.",
)


def recordings(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options for recordings; all but ``drop`` become arguments of ``replicate.features.read.read``."""
    for option in (drop, _segments, table):
        command = option(command)
    return command


def require_audio() -> None:
    """Refuse if the optional packages for recordings are not installed."""
    _require("opensmile", "soundfile", "soxr", "transformers")


def require_sound() -> None:
    """Refuse if the optional packages that decode recordings are not installed."""
    _require("soundfile", "soxr")


def _require(*names: str) -> None:
    from importlib.util import find_spec

    missing = [name for name in names if find_spec(name) is None]
    if missing:
        raise MissingExtra(
            f"{', '.join(missing)} not installed, which features from recordings need: run `make setup`, or "
            "`pip install -e '.[audio]'` in a checkout"
        )


@contextmanager
def end_when_stuck(error: type[ReplicateError]) -> Iterator[None]:
    """End this program with an error if onnxruntime does not come back from a model of a bundle."""
    from export.limited_session import end_stuck_process

    def tell(text: str) -> None:
        console.log.error("error (%s): %s", error.kind, text)

    with end_stuck_process(tell, error.exit_code):
        yield
