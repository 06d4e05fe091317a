"""Expected results and the files of results folders that are fuzzed."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from replicate.errors import ReplicateError
from tests.fuzz import mutations
from tests.fuzz.commands import call
from tests.fuzz.harness import Reader, register


class _Folder:
    """A results folder, which is checked with one of its files changed."""

    def __init__(self) -> None:
        from tests.expected.conftest import expected_file, result, write

        self.root = Path(tempfile.mkdtemp(prefix="replicate-fuzz-results-"))
        self.made = write(self.root / "made", result())
        self.against = expected_file(self.made, self.root)

    def check(self, name: str, path: Path) -> None:
        """Check the folder in which one file is another."""
        from replicate.cli.check import check

        folder = Path(tempfile.mkdtemp(dir=path.parent))
        for file in self.made.iterdir():
            (folder / file.name).symlink_to(path if file.name == name else file)
        for as_json in (False, True):
            call(check.commands["results"], folder=folder, against=self.against, as_json=as_json)

    def seeds(self, name: str) -> Sequence[bytes]:
        """Return one of its files."""
        return [(self.made / name).read_bytes()]


@register("expected")
def expected() -> Reader:
    """Files of expected results, that no index names."""
    from replicate.cli.check import check

    folder = _Folder()

    def read(path: Path) -> None:
        call(check.commands["results"], folder=folder.made, against=path, as_json=False)

    return Reader(
        "expected", lambda: [folder.against.read_bytes()], read, mutations.of_json, (ReplicateError,), ".json"
    )


def _of_file(name: str, file: str, mutate: Callable[[bytes, random.Random], bytes]) -> Reader:
    """Return the reader of one file of a results folder."""
    folder = _Folder()
    seeds = folder.seeds(file)
    read = partial(folder.check, file)
    return Reader(name, lambda: seeds, read, mutate, (ReplicateError,), Path(file).suffix)


@register("scores")
def scores() -> Reader:
    """``scores.csv`` of results folders."""
    return _of_file("scores", "scores.csv", mutations.of_lines)


@register("table-json")
def table_json() -> Reader:
    """JSON of tables in results folders."""
    return _of_file("table-json", "made.json", mutations.of_json)


@register("claims")
def claims() -> Reader:
    """``claims.json`` of results folders."""
    return _of_file("claims", "claims.json", mutations.of_json)


@register("table-markdown")
def table_markdown() -> Reader:
    """Markdown of tables in results folders."""
    return _of_file("table-markdown", "made.md", mutations.of_lines)
