"""``python -m replicate`` is the same as ``replicate``."""

from __future__ import annotations

import signal
import sys
from types import FrameType


def main() -> None:
    """Run the command line; one line says so if it cannot be loaded, for lack of memory or because of Ctrl-C."""
    try:
        signal.signal(signal.SIGTERM, _as_interrupt)
        try:
            _main()
        finally:  # interrupts of what is left, such as closing libraries, need no traceback
            for each in (signal.SIGINT, signal.SIGTERM):
                signal.signal(each, signal.SIG_DFL)
    except KeyboardInterrupt:
        print("error (interrupted): completed runs are kept", file=sys.stderr)
        sys.exit(130)
    finally:
        # An interrupt that has passed an exec(), such as those of dataclasses, makes Python end by SIGINT although it
        # was caught, unless another exec() ends well.
        exec("")


def _main() -> None:
    try:
        from replicate.cli import main as run
    except (ImportError, MemoryError) as error:
        from replicate.machine import lacks_memory

        if not lacks_memory(error):
            raise
        sys.exit("error (too little memory): free some memory, or raise the limit (ulimit -v)")
    run()


def _as_interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
