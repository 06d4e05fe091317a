"""Write docs/results/expected/: what every table of docs/results/ should hold, as data (``python -m docs.expected``).

Every number comes from the files of a folder of docs/results/. ``make readme`` writes them again, and the hashes of
these files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from docs import costs
from docs.entries import commands, measurements
from replicate.expected import pages
from replicate.expected.make import expected
from replicate.expected.model import FORMAT, INDEX, Expected, laid_out, write_index
from replicate.expected.pages import ExpectedPages
from replicate.report import checksums

RESULTS = Path(__file__).parent / "results"


def all_expected() -> list[Expected]:
    """Return the expected results of every folder of ``measured.toml``."""
    return [expected(RESULTS / one.folder, one.folder) for one in measurements()]


def all_pages() -> list[ExpectedPages]:
    """Return the expected pages of every other entry of ``measured.toml``."""
    found = []
    for each in commands():
        paths = [RESULTS / name for name in each.outputs(Path()).values() if name.endswith(".md")]
        where = costs.made(each)
        kind = each.seeds, each.labels, each.times
        held = tuple(pages.expected(path, each.seeds) for path in paths)
        made = where.processor, where.commit, where.versions
        found.append(ExpectedPages(FORMAT, each.name, *made, *kind, pages.RULE, held))
    return found


def write(folder: Path) -> list[Path]:
    """Replace the expected files of a folder and of its pages, each with an index; return their paths."""
    folders = {each.file_name: each.text() for each in all_expected()}
    others = {f"{each.entry}.json": laid_out(asdict(each)) for each in all_pages()}
    return [*_write(folder, folders), *_write(folder / pages.FOLDER, others)]


def _write(folder: Path, found: Mapping[str, str]) -> list[Path]:
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.json"):
        if old.name not in (*found, INDEX):
            old.unlink()
    for name, text in found.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [*(folder / name for name in found), write_index(folder)]


def write_checksums() -> list[Path]:
    """Write ``SHA256SUMS`` of every folder of ``measured.toml``, and return their paths."""
    return [checksums.write(RESULTS / each.folder, sorted(each.tables)) for each in all_expected()]


if __name__ == "__main__":
    for path in (*write(RESULTS / "expected"), *write_checksums()):
        print(path.relative_to(RESULTS.parents[1]))
