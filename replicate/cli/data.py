"""``replicate data``: list, describe, download, convert and merge corpora."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from replicate.cli import console, options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from replicate.corpus import Corpus
    from replicate.corpus.provenance import Recipe

DATA_DIR = click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder with the files of a named corpus. Default: $REPLICATE_DATA/NAME, or the user's cache.",
)
# Classes and speakers that the table of `data info` has columns for.
_COLUMNS = 50


@click.group()
def data() -> None:
    """List, describe, download, convert and merge corpora."""


@data.command("list")
@options.config_dir
def list_() -> None:
    """List the corpora that have a name, and whether their files are on this machine."""
    from replicate.corpus import is_here, named_corpora

    corpora = named_corpora()
    rows = [
        (name, corpus.what, "generated" if not corpus.files else "yes" if is_here(name) else "no")
        for name, corpus in corpora.items()
    ]
    _print_table(("corpus", "description", "on this machine"), rows, left=3)
    missing = [name for name, _, here in rows if here == "no" and not corpora[name].on_request]
    console.suggest("data", "fetch", missing[0], *_config_dirs()) if missing else console.suggest(
        "data", "info", rows[0][0], *_config_dirs()
    )


@data.command()
@click.argument("corpus", metavar="NAME|PATH")
@DATA_DIR
@options.config_dir
def info(corpus: str, data_dir: Path | None) -> None:
    """Describe a corpus: sizes, classes, streams, speakers, content hash, licence; and warn of what is odd in it."""
    from replicate.corpus import SPLITS, load, named_corpora, usage
    from replicate.experiment import relation_memory

    found = load(corpus, data_dir)
    _print(f"corpus: {found.name}", f"hash: {found.hash}", f"scaled before training: {_yes(found.standardise)}")
    _print(f"published IEMOCAP-4 release: {_yes(found.published)}", *(f"note: {note}" for note in found.notes))
    named = named_corpora().get(corpus)
    if named:
        _print(f"source: {named.source}", f"licence: {named.licence}")
    _print(*(f"{stream} was extracted with: {_settings(recipe)}" for stream, recipe in found.recipes.items()))
    _print(*(f"warning: {line}" for line in usage.warnings(found) + relation_memory.remarks(found)))
    shown = found.labels[:_COLUMNS], found.speakers[:_COLUMNS]
    _print_table(("split", "dialogues", "utterances", *shown[0], *shown[1], "lengths"), _splits(found))
    for what, names in (("classes", found.labels), ("speakers", found.speakers)):
        if len(names) > _COLUMNS:
            console.note(f"the table shows the first {_COLUMNS} of {len(names)} {what}")
    _print_table(("stream", "columns"), [(name, str(width)) for name, width in found.widths.items()])
    if len(found.labels) > 1 and all(found.split(split) for split in SPLITS):
        tables = [name for name, stream in (("table2", "audio"), ("table4", "hubert")) if stream in found.widths]
        console.suggest("run", *(tables or ["all"]), "--data", corpus, *_data_dir(data_dir), *_config_dirs())
    else:
        console.suggest("predict", "BUNDLE", corpus, *_config_dirs())


@data.command()
@click.argument("name")
@click.option(
    "--to",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder to write the files to. Default: $REPLICATE_DATA/NAME, or the user's cache.",
)
@options.config_dir
@click.option("--base-url", help="Another server with the layout of raw.githubusercontent.com, the default.")
def fetch(name: str, folder: Path | None, base_url: str | None) -> None:
    """Download the published files of corpus NAME, and verify them; an interrupted download is resumed."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn

    from replicate.corpus import data_folder, named_corpora
    from replicate.corpus.fetch import BASE_URL
    from replicate.corpus.fetch import fetch as fetch_files

    target = folder or data_folder(name)
    err = console.status()
    corpora = named_corpora()
    if name in corpora:
        console.note(corpora[name].licence)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, console=err, disable=not err.is_terminal) as bars:
        tasks: dict[str, TaskID] = {}

        def show(file: str, done: int, total: int | None) -> None:
            if file not in tasks:
                tasks[file] = bars.add_task(file)
            bars.update(tasks[file], completed=done, total=total)

        paths = fetch_files(name, target, base_url or BASE_URL, show)
    _print(*map(str, paths))
    console.suggest("data", "info", name, *_data_dir(folder), *_config_dirs())


@data.command()
@click.argument("source", metavar="NAME|PATH")
@click.argument("out", metavar="OUT.npz", type=click.Path(path_type=Path, dir_okay=False))
@DATA_DIR
@options.config_dir
@click.option("--force", is_flag=True, help="Replace OUT.npz if it exists.")
def convert(source: str, out: Path, data_dir: Path | None, force: bool) -> None:
    """Write a corpus as one .npz file, a format without pickles."""
    from replicate.corpus import archive, load

    options.check_new(out, force, "OUT.npz")
    corpus = load(source, data_dir)
    archive.write(corpus, out)
    _print(f"{out}: {len(corpus.dialogues)} dialogues, hash {corpus.hash}")
    console.suggest("data", "info", str(out))


@data.command()
@click.argument("base", metavar="BASE")
@click.argument("extra", metavar="EXTRA")
@click.option("--stream", required=True, help="Feature stream of EXTRA to add, such as hubert.")
@click.option("--as", "name", metavar="NAME", help="Name of the stream in the new corpus. Default: its name in EXTRA.")
@options.out_file
@DATA_DIR
@options.config_dir
@click.option("--drop", is_flag=True, help="Drop utterances that only one corpus has, and name them.")
@options.force
def merge(
    base: str, extra: str, stream: str, name: str | None, out: Path, data_dir: Path | None, drop: bool, force: bool
) -> None:
    """Add a feature stream of corpus EXTRA to corpus BASE; utterances are matched by their names.

    Order, splits, speakers and labels are those of BASE. --data-dir is the folder with the files of BASE. --out may be
    the file of BASE itself, with --force.
    """
    from replicate.corpus import archive, load
    from replicate.corpus.merge import attach

    options.check_new(out, force, "--out")
    merged = attach(load(base, data_dir), load(extra), stream, drop, name)
    for reason, names in (("dropped, not in EXTRA", merged.without_stream), ("not used, not in BASE", merged.unused)):
        for utterance in names:
            console.note(f"{reason}: {utterance}")
    archive.write(merged.corpus, out)
    _print(f"{out}: {len(merged.corpus.dialogues)} dialogues, hash {merged.corpus.hash}")
    console.suggest("data", "info", str(out))


def _splits(corpus: Corpus) -> list[tuple[str, ...]]:
    """Return a row per split: counts, shares of classes and speakers in percent, lengths of dialogues."""
    import numpy as np

    from replicate.corpus import SPLITS

    rows = []
    for split in SPLITS:
        dialogues = corpus.split(split)
        if not dialogues:
            columns = len(corpus.labels[:_COLUMNS]) + len(corpus.speakers[:_COLUMNS])
            rows.append((split, "0", "0", *["-"] * (columns + 1)))
            continue
        labels = np.concatenate([dialogue.labels for dialogue in dialogues])
        speakers = np.concatenate([dialogue.speakers for dialogue in dialogues])
        lengths = [len(dialogue) for dialogue in dialogues]
        shares = [
            f"{100 * np.mean(values == i):.1f} %"
            for values, names in ((labels, corpus.labels), (speakers, corpus.speakers))
            for i in range(len(names[:_COLUMNS]))
        ]
        range_ = f"{min(lengths)} to {max(lengths)}, median {np.median(lengths):g}"
        rows.append((split, str(len(dialogues)), str(len(labels)), *shares, range_))
    return rows


def _settings(recipe: Recipe) -> str:
    """Return the settings of an extraction; long lists, such as names of columns, are shown by their length."""
    shown = ((key, value) for key, value in recipe.items() if value and key != "versions")
    return ", ".join(f"{key} {f'({len(value)})' if isinstance(value, list) else value}" for key, value in shown)


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _print(*lines: str) -> None:
    for line in lines:
        console.echo(line)


def _data_dir(folder: Path | None) -> list[str]:
    return ["--data-dir", str(folder)] if folder else []


def _config_dirs() -> list[str]:
    from replicate.config import folders

    return folders.as_options()


def _print_table(titles: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> None:
    from replicate import grids

    screen = console.results()
    screen.print(grids.terminal(titles, rows, screen.width, left), crop=False)
