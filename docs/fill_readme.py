"""Puts what is generated into README.md: `make readme`.

Between ``<!-- begin NAME -->`` and ``<!-- end -->`` stands a file of the repository, as ``replicate`` wrote it, or one
of ``GENERATED``.
"""

import re
from pathlib import Path

from replicate.corpus import catalogue

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"<!-- begin (\S+) -->\n.*?<!-- end -->", re.DOTALL)


def corpora() -> str:
    """The named corpora as a Markdown table."""
    lines = ["| name | what | where from |", "|---|---|---|"]
    for name, entry in catalogue().items():
        source = f"`replicate data fetch {name}`" if entry.files else "built in"
        lines.append(f"| `{name}` | {entry.what} | {source} |")
    return "\n".join(lines) + "\n"


def versions() -> str:
    """The pinned versions that decide numbers."""
    pins: dict[str, list[str]] = {}
    for name, version in re.findall(r"^([\w-]+)==([^\s;]+)", (ROOT / "constraints.txt").read_text(), re.MULTILINE):
        pins.setdefault(name, []).append(version)
    said = [f"{name} {' or '.join(pins[name])}" for name in ("torch", "torch-geometric", "onnx", "onnxruntime")]
    return f"Pinned in [`constraints.txt`](constraints.txt), by the version of Python: {', '.join(said)}.\n"


GENERATED = {"corpora": corpora, "versions": versions}


def filled(readme: str) -> str:
    """The text with every block replaced by what belongs there."""
    return BLOCK.sub(lambda m: f"<!-- begin {m[1]} -->\n{_content(m[1])}<!-- end -->", readme)


def _content(name: str) -> str:
    return GENERATED[name]() if name in GENERATED else (ROOT / name).read_text()


if __name__ == "__main__":
    path = ROOT / "README.md"
    path.write_text(filled(path.read_text()))
