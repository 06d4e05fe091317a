"""``python -m replicate`` is the same as ``replicate``."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; one line says so if it cannot be loaded, for lack of memory or because of Ctrl-C."""
    try:
        from replicate.cli import main as run
    except KeyboardInterrupt:
        print("error (interrupted): nothing was begun", file=sys.stderr)
        sys.exit(130)
    except (ImportError, MemoryError) as error:
        from replicate.machine import lacks_memory

        if not lacks_memory(error):
            raise
        sys.exit("error (too little memory): free some memory, or raise the limit (ulimit -v)")
    run()


if __name__ == "__main__":
    main()
