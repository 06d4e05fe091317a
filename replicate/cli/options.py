"""Options that several commands share."""

from __future__ import annotations

import functools
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from replicate import __version__
from replicate.cli import console
from replicate.errors import CannotWrite, MissingExtra

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
    help="Results folder, or a folder above several: then the newest of them.",
)


def _use_folders(_context: click.Context, _parameter: click.Parameter, given: tuple[Path, ...]) -> None:
    from replicate.config import folders

    folders.use(given)


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
    "folder",
    type=click.Path(path_type=Path),
    default=Path("results/runs"),
    show_default=True,
    help="Folder where completed runs are kept; `replicate run` keeps them in runs/ below --out.",
)


def existing_store(folder: Path) -> Path:
    """Return the folder of a store that must exist; an empty store would hide a mistyped path."""
    if not folder.is_dir():
        raise click.UsageError(f"there is no store at {folder}: give the folder of the runs with --store")
    return folder


_TRAINING = (
    config_dir,
    click.option("--data", metavar="NAME|PATH", help="Corpus by name or file (default: the profile's)."),
    click.option("--data-dir", type=click.Path(path_type=Path), help="Folder with the files of a named corpus."),
    click.option(
        "--profile",
        metavar="NAME",
        default="quick",
        show_default=True,
        help="Size of the experiment: smoke (seconds), quick (minutes), paper (full size).",
    ),
    click.option(
        "--protocol",
        metavar="NAME[+SETTING=VALUE,...]",
        default="paper",
        show_default=True,
        help="paper: settings of the text; released: settings of the released code. Single settings can be "
        "overridden: paper+hubert.projection=none,masking.unit=batch (all are in tables/protocols.toml).",
    ),
    click.option(
        "--seeds", metavar="LIST|COUNT", help="Seeds such as 24,25,26, or a count such as 5 (default: the profile's)."
    ),
    click.option(
        "--seed",
        "single",
        type=click.IntRange(0),
        multiple=True,
        metavar="N",
        help="One seed; repeat the option for several.",
    ),
    click.option(
        "--device",
        type=click.Choice(["auto", "cpu", "cuda"]),
        default="auto",
        show_default=True,
        help="Where to train.",
    ),
    click.option(
        "--jobs",
        type=click.IntRange(1),
        metavar="N",
        help="Runs trained at a time, one thread each (default: one per core, 1 on a GPU). Does not change numbers.",
    ),
    click.option(
        "--precision",
        type=click.Choice(["float32", "bf16"]),
        default="float32",
        show_default=True,
        help="Number format of matrix products in training; bf16 needs a GPU or CPU with bf16 instructions.",
    ),
    click.option(
        "--stack/--no-stack",
        "stacked",
        default=None,
        help="Train all seeds of an arm as one program (default: on a GPU). Same numbers up to rounding.",
    ),
    click.option(
        "--engine",
        type=click.Choice(["local", "ray"]),
        default="local",
        show_default=True,
        help="Processes of this machine, or a Ray cluster (needs the extra [ray]).",
    ),
    click.option(
        "--address",
        metavar="HOST:PORT",
        help="Head of the Ray cluster, or auto (default: a cluster of this machine alone).",
    ),
    click.option(
        "--gpu-share",
        type=click.FloatRange(0, 1, min_open=True),
        metavar="FRACTION",
        default=1.0,
        show_default=True,
        help="Share of a GPU that a worker on the cluster takes.",
    ),
    click.option(
        "--store",
        metavar="FOLDER|ADDRESS",
        help="Where completed runs are kept: a folder, or an fsspec address such as s3://bucket/runs, which is cached "
        "below --out (default: runs/ below --out).",
    ),
    click.option(
        "--out",
        type=click.Path(path_type=Path),
        default=Path("results"),
        show_default=True,
        help="Folder for tables, figures and other outputs.",
    ),
    click.option("--repair", is_flag=True, help="Train damaged runs again; without it they are an error."),
    click.option("--dry-run", is_flag=True, help="Print what would be trained, and train nothing."),
)


def training(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of every command that trains, from --data to --dry-run.

    All but --repair and --dry-run become fields of ``experiment.prepare.Options``: --engine, --address and --gpu-share
    as one, ``cluster``, and --seed as ``seeds``.
    """

    @functools.wraps(command)
    def with_cluster(
        *args: Any,
        engine: str,
        address: str | None,
        gpu_share: float,
        seeds: str | None,
        single: tuple[int, ...],
        **others: Any,
    ) -> Any:
        if single and seeds is not None:
            raise click.UsageError("--seed and --seeds exclude each other")
        if single:
            seeds = ",".join(map(str, single)) + ","  # the comma makes it a list, not a count
        if engine == "local" and address is not None:
            raise click.UsageError("--address needs --engine ray")
        cluster = None
        if engine == "ray":
            from replicate.runner.ray import Cluster

            cluster = Cluster(address, gpu_share)
        return command(*args, cluster=cluster, seeds=seeds, **others)

    for option in reversed(_TRAINING):
        with_cluster = option(with_cluster)
    return with_cluster


def _set_level(_context: click.Context, parameter: click.Parameter, given: bool) -> None:
    if given:
        level = console.VERBOSE if parameter.name == "verbose" else console.QUIET
        if console.level() not in (console.NORMAL, level):
            raise click.UsageError("--verbose and --quiet exclude each other")
        console.set_level(level)


def _open_log_file(context: click.Context, _parameter: click.Parameter, path: Path | None) -> None:
    if path is not None:
        console.open_log_file(path)
        console.detail(f"version {__version__}: replicate {shlex.join(context.find_root().obj or ())}")


def add_logging(command: click.Command) -> None:
    """Add --verbose, --quiet and --log-file to a command and to all commands below it."""
    if isinstance(command, click.Group):
        for each in command.commands.values():
            add_logging(each)
    else:
        # A new list: hidden aliases share theirs with the command.
        command.params = [
            *command.params,
            click.Option(
                ["-v", "--verbose"],
                is_flag=True,
                expose_value=False,
                callback=_set_level,
                help="Also print details on stderr.",
            ),
            click.Option(
                ["-q", "--quiet"],
                is_flag=True,
                expose_value=False,
                callback=_set_level,
                help="Print results and errors only.",
            ),
            click.Option(
                ["--log-file"],
                type=click.Path(path_type=Path, dir_okay=False),
                metavar="FILE",
                expose_value=False,
                callback=_open_log_file,
                help="Append status lines, details and errors to FILE, with times.",
            ),
        ]


_RECORDINGS = (
    click.option(
        "--table",
        type=click.Path(path_type=Path, dir_okay=False),
        help="CSV of a folder's utterances: dialogue, utterance, speaker, maybe label, split and start. "
        "Default: the one CSV in the folder.",
    ),
    click.option(
        "--segments",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Segments of one long recording: CSV with start and end in seconds and speaker, or RTTM.",
    ),
    click.option("--allow-overlap", is_flag=True, help="Keep overlapping segments; each then contains both voices."),
    click.option("--drop", is_flag=True, help="Leave out utterances that cannot be extracted, and name them."),
)


def recordings(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options for recordings; all but ``drop`` become arguments of ``replicate.features.read.read``."""
    for option in reversed(_RECORDINGS):
        command = option(command)
    return command


def require_audio() -> None:
    """Refuse if the optional packages for recordings are not installed."""
    from importlib.util import find_spec

    missing = [name for name in ("opensmile", "soundfile", "soxr", "transformers") if find_spec(name) is None]
    if missing:
        raise MissingExtra(
            f"{', '.join(missing)} not installed, which features from recordings need: run `make setup`, or "
            "`pip install -e '.[audio]'` in a checkout"
        )
