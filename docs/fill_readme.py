"""Puts generated tables into README.md: `make readme`.

Between ``<!-- begin FILE -->`` and ``<!-- end -->`` stands FILE, as ``replicate run`` wrote it.
"""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"<!-- begin (\S+) -->\n.*?<!-- end -->", re.DOTALL)


def filled(readme: str) -> str:
    """The text with every block replaced by its file."""
    return BLOCK.sub(lambda m: f"<!-- begin {m[1]} -->\n{(ROOT / m[1]).read_text()}<!-- end -->", readme)


if __name__ == "__main__":
    path = ROOT / "README.md"
    path.write_text(filled(path.read_text()))
