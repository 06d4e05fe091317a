"""Sizes of files as the commands print them."""

from pathlib import Path


def in_kb(path: Path) -> str:
    """The size of a folder of some kB, or of a smaller file."""
    number = sum(each.stat().st_size for each in ([path] if path.is_file() else path.iterdir()))
    return f"{number / 1000:.1f} kB" if number >= 1000 else f"{number} B"
