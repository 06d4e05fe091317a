"""The options of the commands that train, ``replicate run`` and ``replicate sweep``."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from replicate.cli import options

_OPTIONS = (
    click.option("--data-dir", type=click.Path(path_type=Path), help="Folder with the files of a named corpus."),
    click.option(
        "--profile",
        metavar="NAME",
        default="quick",
        show_default=True,
        help="Size of the experiment: smoke (seconds), control and quick (minutes), paper (full size).",
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
        "--privileged",
        type=click.Choice(["visual", "text", "visual+text", "none"]),
        help="Streams that only training sees, in the place of the paper's video (default: visual where the corpus has "
        "it, else text, else none).",
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
        help="Share of a GPU that a worker on the cluster takes (default: 1).",
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


def training_options(*, several_corpora: bool = False) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator that adds the options of every command that trains, from --data to --dry-run.

    All but --repair and --dry-run become fields of ``experiment.prepare.Options``: --engine, --address and --gpu-share
    as one, ``cluster``, and --seed as ``seeds``. With ``several_corpora``, --data may be repeated, and is a tuple.
    """
    several = "; a search takes several, each with --data" if several_corpora else ""
    meaning = f"Corpus by name or file (default: the profile's){several}."
    data = click.option("--data", metavar="NAME|PATH", multiple=several_corpora, help=meaning)

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        found = _with_cluster(command)
        for option in reversed((options.config_dir, data, *_OPTIONS)):
            found = option(found)
        return found

    return decorate


def _with_cluster(command: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(command)
    def with_cluster(
        *args: Any,
        engine: str,
        address: str | None,
        gpu_share: float | None,
        seeds: str | None,
        single: tuple[int, ...],
        **others: Any,
    ) -> Any:
        if single and seeds is not None:
            raise click.UsageError("--seed and --seeds exclude each other")
        if single:
            seeds = ",".join(map(str, single)) + ","  # the comma makes it a list, not a count
        for name, value in (("--address", address), ("--gpu-share", gpu_share)):
            if engine == "local" and value is not None:
                raise click.UsageError(f"{name} needs --engine ray")
        cluster = None
        if engine == "ray":
            from replicate.runner.ray import Cluster

            cluster = Cluster(address, 1.0 if gpu_share is None else gpu_share)
        return command(*args, cluster=cluster, seeds=seeds, **others)

    return with_cluster
