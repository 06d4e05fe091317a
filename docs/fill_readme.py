"""Fill the generated blocks of README.md, the other pages and the Makefile: `make readme`.

A block is the text between ``<!-- begin NAME -->`` and ``<!-- end -->``. NAME is a file of this repository, which is
copied as `replicate` wrote it, or one of ``GENERATED``. So every measured number in the documentation comes from a
file in docs/results/, and none is typed by hand.
"""

from __future__ import annotations

import re
from pathlib import Path

from docs import artifact, claims_by_corpus, compare_paths, costs, other_seeds
from replicate.corpus import named_corpora

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs" / "results"
# In the Makefile, both marks are comments.
BLOCK = re.compile(r"<!-- begin (\S+) -->\n.*?((?:# )?<!-- end -->)", re.DOTALL)


def pages() -> list[Path]:
    """Every page of this repository that has a generated block, and the Makefile."""
    found = [ROOT / "Makefile", *sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
    return [path for path in found if BLOCK.search(path.read_text(encoding="utf-8"))]


def fill(page: str) -> str:
    """Return the text of a page with every block replaced by its current content."""
    return BLOCK.sub(lambda m: f"<!-- begin {m[1]} -->\n{_content(m[1])}{m[2]}", page)


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


GENERATED = {
    "artifact-claims": lambda: artifact.table("reproduced"),
    "artifact-folders": artifact.folders,
    "artifact-functional": lambda: artifact.table("functional"),
    "artifact-machines": artifact.machines,
    "artifact-reusable": lambda: artifact.table("reusable"),
    "claims": claims_by_corpus.table,
    "corpora": corpora,
    "hours": costs.block,
    "make-results": costs.target,
    "other-seeds": other_seeds.table,
    "versions": versions,
    "ways-to-train": compare_paths.summaries,
}


def _content(name: str) -> str:
    return GENERATED[name]() if name in GENERATED else (ROOT / name).read_text(encoding="utf-8")


def write() -> None:
    """Fill the blocks of all pages."""
    for path in pages():
        path.write_text(fill(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    write()
