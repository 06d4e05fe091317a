"""``python -m replicate`` is the same as ``replicate``."""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
from types import FrameType
from typing import NoReturn

INTERRUPTED = 130


def main() -> None:
    """Run the command line; one line says so if it cannot be loaded, for lack of memory or because of Ctrl-C."""
    try:
        signal.signal(signal.SIGTERM, _as_interrupt)
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not ignored, as in the background
            signal.signal(signal.SIGINT, _as_interrupt)
        try:
            _main()
        finally:  # interrupts of what is left, such as closing libraries, need no traceback
            for each in (signal.SIGINT, signal.SIGTERM):
                signal.signal(each, signal.SIG_DFL)
    except KeyboardInterrupt:
        print("error (interrupted): completed runs are kept", file=sys.stderr)
        _leave(INTERRUPTED)
    except SystemExit as end:
        if isinstance(end.code, int) and end.code:
            _leave(end.code)
        raise


def _leave(code: int) -> NoReturn:
    """End at once.

    Unloading torch takes a second of processor time, which is many seconds on a busy machine, and libraries that lacked
    memory may crash.
    """
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


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
    # What is interrupted is closed later, for example an archive after its file; Python would print tracebacks.
    sys.unraisablehook = lambda _: None
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
