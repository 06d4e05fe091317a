"""``python -m replicate`` is the same as ``replicate``."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; one line says so if memory does not suffice to load it."""
    try:
        from replicate.cli import main as run
    except (ImportError, MemoryError) as error:
        from replicate.machine import lacks_memory

        if not lacks_memory(error):
            raise
        sys.exit("error (too little memory): free some memory, or raise the limit (ulimit -v)")
    run()


if __name__ == "__main__":
    main()
