"""Write docs/results/expected/: what every table of docs/results/ should hold, as data (``python -m docs.expected``).

Every number comes from the files of a folder of docs/results/. ``make readme`` writes them again, and the hashes of
these files.
"""

from __future__ import annotations

from pathlib import Path

from docs.entries import measurements
from replicate.expected.make import expected
from replicate.expected.model import INDEX, Expected, write_index
from replicate.report import checksums

RESULTS = Path(__file__).parent / "results"


def all_expected() -> list[Expected]:
    """Return the expected results of every folder of ``measured.toml``."""
    return [expected(RESULTS / one.folder, one.folder) for one in measurements()]


def write(folder: Path) -> list[Path]:
    """Replace the expected files of a folder and its index; return their paths, that of the index last."""
    folder.mkdir(exist_ok=True)
    found = {each.file_name: each.text() for each in all_expected()}
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
