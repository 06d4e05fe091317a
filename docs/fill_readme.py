"""Fill the generated blocks of README.md and of the pages in docs/: `make readme`.

A block is the text between ``<!-- begin NAME -->`` and ``<!-- end -->``. NAME is a file of this repository, which is
copied as `replicate` wrote it, or one of ``GENERATED``. So every measured number in the documentation comes from a
file in docs/results/, and none is typed by hand.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from replicate.corpus import named_corpora

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs" / "results"
BLOCK = re.compile(r"<!-- begin (\S+) -->\n.*?<!-- end -->", re.DOTALL)
# The cells of Table 2 that the README shows below the claims, as (row, column).
SCORES = (("COGMEN-A", "A inference"), ("COGMEN-Mask", "A inference"), ("COGMEN-AV", "AV inference"))


def pages() -> list[Path]:
    """README.md and every page in docs/ that has a generated block."""
    found = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    return [path for path in found if BLOCK.search(path.read_text(encoding="utf-8"))]


def fill(page: str) -> str:
    """Return the text of a page with every block replaced by its current content."""
    return BLOCK.sub(lambda m: f"<!-- begin {m[1]} -->\n{_content(m[1])}<!-- end -->", page)


@dataclass(frozen=True)
class Measured:
    """What one results folder says about the claims.

    Attributes:
        folder: relative to the repository's root.
        outcomes: claim -> outcome.
        scores: cell of ``SCORES`` -> weighted F1 as printed.
    """

    folder: str
    corpus: str
    seeds: str
    outcomes: dict[str, str]
    scores: dict[tuple[str, str], str]

    @property
    def synthetic(self) -> bool:
        """Whether the features are generated, so that the results test the software and not the paper."""
        return self.corpus.startswith("synthetic")

    @classmethod
    def load(cls, folder: Path) -> Measured:
        """Parse ``claims.md`` and ``table2.md`` of a results folder."""
        text = (folder / "claims.md").read_text(encoding="utf-8")
        conditions = re.search(r"Measured on (\S+) \(.*n = (\d+) seeds", text)
        assert conditions, f"{folder}/claims.md does not say what it was measured on"
        rows = [_cells(line) for line in text.splitlines() if re.match(r"\| \d+\. ", line)]
        header, *body = (_cells(line) for line in _first_table(folder / "table2.md"))
        table = {row[0]: dict(zip(header, row, strict=True)) for row in body}
        return cls(
            folder.relative_to(ROOT).as_posix(),
            conditions[1],
            conditions[2],
            {row[0]: "not measured" if "measured" in row[1] else row[1] for row in rows},
            {(row, column): table[row][column] for row, column in SCORES},
        )


def claims() -> str:
    """Return the outcome of every claim by corpus as a Markdown table, real recordings first."""
    found = [Measured.load(path.parent) for path in RESULTS.glob("*/*/claims.md")]
    found.sort(key=lambda one: (one.synthetic, one.folder))
    header = ["claim of the paper"]
    for one in found:
        kind = "self-test, generated features" if one.synthetic else "real recordings"
        header.append(f"[{one.corpus}]({one.folder}/claims.md): {kind}, {one.seeds} seeds")
    rows = [[claim, *(one.outcomes[claim] for one in found)] for claim in found[0].outcomes]
    rows += [[f"*weighted F1 of {cell[0]}, {cell[1]}*", *(f"*{one.scores[cell]}*" for one in found)] for cell in SCORES]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (header, ["---"] * len(header), *rows))


def corpora() -> str:
    """Return the named corpora as a Markdown table."""
    lines = ["| name | what | where from |", "|---|---|---|"]
    for name, entry in named_corpora().items():
        source = f"`replicate data fetch {name}`" if entry.files else "built in"
        lines.append(f"| `{name}` | {entry.what} | {source} |")
    return "\n".join(lines) + "\n"


def versions() -> str:
    """Return the pinned versions of the libraries that decide numbers, as a Markdown list."""
    pins: dict[str, list[str]] = {}
    for name, version in re.findall(r"^([\w-]+)==([^\s;]+)", (ROOT / "constraints.txt").read_text(), re.MULTILINE):
        pins.setdefault(name, []).append(version)
    names = ("torch", "torch-geometric", "onnx", "onnxruntime")
    return "".join(f"- {name} {' or '.join(pins[name])}\n" for name in names)


GENERATED = {"claims": claims, "corpora": corpora, "versions": versions}


def _content(name: str) -> str:
    return GENERATED[name]() if name in GENERATED else (ROOT / name).read_text(encoding="utf-8")


def _first_table(path: Path) -> list[str]:
    """Return the lines of a file's first Markdown table, without the line under the header."""
    lines = path.read_text(encoding="utf-8").splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("|"))
    stop = next(i for i in range(start, len(lines)) if not lines[i].startswith("|"))
    return [lines[start], *lines[start + 2 : stop]]


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


if __name__ == "__main__":
    for path in pages():
        path.write_text(fill(path.read_text(encoding="utf-8")), encoding="utf-8")
