"""Options that several commands share."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from replicate.errors import CannotWrite, MissingExtra

out_file = click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="Corpus file to write; it ends in .npz.",
)
force = click.option("--force", is_flag=True, help="Replace the file of --out where it exists.")


def check_new(out: Path, force: bool, hint: str) -> None:
    """Refuse a corpus file of another suffix, or one that exists, unless ``force``."""
    if out.suffix != ".npz":
        raise click.BadParameter("it must end in .npz", param_hint=hint)
    if out.exists() and not force:
        raise CannotWrite(f"{out} exists: choose another name, or replace it with --force")


results = click.option(
    "--results",
    type=click.Path(path_type=Path),
    default=Path("results"),
    show_default=True,
    help="Results folder; of several finished ones below it, the newest.",
)

_TRAINING = (
    click.option("--data", metavar="NAME|PATH", help="Corpus by name or file (default: the profile's)."),
    click.option("--data-dir", type=click.Path(path_type=Path), help="Folder that holds the files of a named corpus."),
    click.option(
        "--profile",
        default="quick",
        show_default=True,
        help="How much work: smoke (seconds), quick (minutes), paper (full size).",
    ),
    click.option(
        "--protocol",
        default="paper",
        show_default=True,
        help="paper: the text's reading; released: the released code's. Single knobs can be changed: "
        "paper+hubert.projection=none,masking.unit=batch (all in tables/protocols.toml).",
    ),
    click.option("--seeds", help="Seeds such as 24,25,26, or a count such as 5 (default: the profile's)."),
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
        help="Runs at a time, one thread each (default: one per core, 1 on a GPU). Same numbers with any.",
    ),
    click.option(
        "--precision",
        type=click.Choice(["float32", "bf16"]),
        default="float32",
        show_default=True,
        help="Of products in training; bf16 is for GPUs, and for processors with instructions for it.",
    ),
    click.option(
        "--stack/--no-stack",
        "stacked",
        default=None,
        help="All seeds of an arm as one program (default: on a GPU). Same numbers up to rounding.",
    ),
    click.option(
        "--engine",
        type=click.Choice(["local", "ray"]),
        default="local",
        show_default=True,
        help="Processes of this machine, or a Ray cluster (needs the extra [ray]).",
    ),
    click.option(
        "--address", help="Head of the Ray cluster: auto, HOST:PORT (default: a cluster of this machine alone)."
    ),
    click.option(
        "--gpu-share",
        type=click.FloatRange(0, 1, min_open=True),
        default=1.0,
        show_default=True,
        help="Part of a GPU that a program on the cluster takes.",
    ),
    click.option(
        "--store",
        "shared",
        metavar="ADDRESS",
        help="Where finished runs lie for other machines, too: a shared folder, s3://bucket/runs, anything of fsspec.",
    ),
    click.option(
        "--out",
        type=click.Path(path_type=Path),
        default=Path("results"),
        show_default=True,
        help="Folder for results; finished runs in it are not repeated.",
    ),
    click.option(
        "--repair", is_flag=True, help="Train damaged runs again; without it they are named and nothing is done."
    ),
    click.option("--dry-run", is_flag=True, help="Say what would be trained, and train nothing."),
)


def training(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of every command that trains, from --data to --dry-run.

    All but --repair and --dry-run are arguments of ``Campaign.prepare``; where to train comes as one, ``cluster``.
    """

    @functools.wraps(command)
    def with_cluster(*args: Any, engine: str, address: str | None, gpu_share: float, **others: Any) -> Any:
        if engine == "local" and address is not None:
            raise click.UsageError("--address is of a Ray cluster: add --engine ray")
        cluster = None
        if engine == "ray":
            from replicate.runner.ray import Cluster

            cluster = Cluster(address, gpu_share)
        return command(*args, cluster=cluster, **others)

    for option in reversed(_TRAINING):
        with_cluster = option(with_cluster)
    return with_cluster


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
        help="Who speaks when in one long recording: CSV with start, end, speaker in seconds, or RTTM.",
    ),
    click.option(
        "--allow-overlap", is_flag=True, help="Keep segments that overlap; both then hold the voices of both."
    ),
    click.option("--drop", is_flag=True, help="Leave out utterances that cannot be extracted, and name them."),
)


def recordings(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say how to read recordings, all but ``drop`` arguments of ``replicate.features.read.read``."""
    for option in reversed(_RECORDINGS):
        command = option(command)
    return command


def require_audio() -> None:
    """Refuse where the extra that reads recordings is not installed."""
    from importlib.util import find_spec

    missing = [name for name in ("opensmile", "soundfile", "soxr", "transformers") if find_spec(name) is None]
    if missing:
        raise MissingExtra(
            f"{', '.join(missing)} not installed: features from recordings need the extra, "
            "pip install 'bridging-modalities[audio]'"
        )
