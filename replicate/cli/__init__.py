"""The ``replicate`` command. Commands import slow modules inside themselves, so that --help is quick."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
import warnings
from pathlib import Path
from typing import Any

import click

from replicate import __version__
from replicate.cli import check as checks
from replicate.cli import console, environment
from replicate.cli.bench import bench_inference, bench_training
from replicate.cli.benchmark import benchmark
from replicate.cli.data import data
from replicate.cli.demo import demo
from replicate.cli.export import export
from replicate.cli.features import features
from replicate.cli.listen import listen
from replicate.cli.predict import predict
from replicate.cli.report import report
from replicate.cli.run import run
from replicate.cli.runs import runs
from replicate.cli.sweep import sweep
from replicate.errors import INTERRUPTED_EXIT_CODE, ReplicateError, TooLittleMemory
from replicate.files import from_os_error
from replicate.machine import lacks_memory

# Of an error, in characters.
_LONGEST_LINE = 2000


class _Root(click.Group):
    """The group of all commands; it ends quietly when the program that reads its output, such as head, has ended."""

    def invoke(self, context: click.Context) -> Any:
        """Run a command. Caught here, because click and rich would exit with 1."""
        try:
            return super().invoke(context)
        except BrokenPipeError as error:
            for stream in (sys.stdout, sys.stderr):  # what is left in buffers must not fail at exit
                with contextlib.suppress(OSError, ValueError):
                    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
            raise click.exceptions.Exit(0) from error


@click.group(cls=_Root, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="replicate")
def cli() -> None:
    """Replicate "Bridging Modalities" (arXiv 2401.03000): train with audio and video, deploy with audio alone.

    Start with:  replicate run table2

    Exit codes: 1 error, 2 wrong usage, 3 a requested check or claim failed, 130 interrupted.
    """


for command in (
    run,
    report,
    export,
    predict,
    demo,
    listen,
    benchmark,
    bench_training,
    bench_inference,
    runs,
    sweep,
    data,
    features,
):
    cli.add_command(command)
cli.add_command(checks.check)
# Spellings of earlier versions.
export.add_command(checks.alias(checks.bundle), "check")
runs.add_command(checks.alias(checks.store), "verify")
console.add_options(cli)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit; an error of the user is one line on stderr that begins with its kind."""
    try:
        status = _exit_code(arguments)
    except Exception as error:
        # What is closed by an interrupt may raise something else, such as an archive in which a file is open.
        if not isinstance(error.__context__, KeyboardInterrupt):
            raise
        status = _interrupted()
    finally:
        console.close_log_file()
    sys.exit(status)


def _prepare() -> None:
    """Set up output and the environment."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # an ASCII terminal gets a question mark for ±, no traceback
    os.environ.pop("MPLBACKEND", None)  # of a notebook, whose backend may not be installed here
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it warns where it finds no home
    # Of requests, where memory ran out in an import; another line names that.
    warnings.filterwarnings("ignore", "Unable to find acceptable character detection")
    console.set_level(console.NORMAL)
    found = environment.warning()
    if found is not None:
        console.log.warning(found)


def _exit_code(arguments: list[str] | None) -> int:
    """Run the command line and return its exit code."""
    try:
        _prepare()
        # The arguments are the context's object, so that a log file begins with them.
        arguments = sys.argv[1:] if arguments is None else arguments
        _refuse_empty(arguments)
        status = cli.main(arguments, prog_name="replicate", standalone_mode=False, obj=arguments)
    except click.exceptions.Exit as exit_:
        status = exit_.exit_code
    except click.ClickException as error:
        shown = io.StringIO()
        error.show(shown)  # it quotes what was given, such as names of files
        console.echo(shown.getvalue(), newline=False, err=True)
        status = error.exit_code
    except (KeyboardInterrupt, click.Abort):
        status = _interrupted()
    except ReplicateError as error:
        status = _fail(error)
    except Exception as error:
        known = _known(error)
        if known is None:
            raise
        status = _fail(known)
    return status if isinstance(status, int) else 0


def _known(error: Exception) -> ReplicateError | None:
    """Return what to report about an error whose cause is outside of this package, None for any other."""
    if isinstance(error, ImportError | MemoryError | RuntimeError) and lacks_memory(error):
        return TooLittleMemory(f"{_reason(error)}: free some memory, or raise the limit (ulimit -v)")
    broken = environment.broken_package(error)
    if broken is None and isinstance(error, OSError):
        return from_os_error(error, Path(error.filename or "the output"))
    return broken


def _interrupted() -> int:
    # What was interrupted is closed later, for example an archive after its file; Python would print tracebacks.
    sys.unraisablehook = lambda _: None
    console.log.error("error (interrupted): completed runs are kept; the same command continues from there")
    return INTERRUPTED_EXIT_CODE


def _reason(error: BaseException) -> str:
    """Return the last line of an error's message that has words, which names the library that was loaded."""
    lines = [line.strip() for line in str(error).splitlines() if any(map(str.isalpha, line))]
    return lines[-1][:200] if lines else "memory ran out"


def _refuse_empty(arguments: list[str]) -> None:
    """Refuse an empty argument: as a path it would mean the current folder."""
    for before, argument in zip(["", *arguments], arguments, strict=False):
        if not argument or (argument.startswith("--") and argument.endswith("=")):
            option = argument.rstrip("=") or before
            after = f" after {option}" if option.startswith("-") else ""
            raise click.UsageError(f"an argument{after} is empty, perhaps a variable of the shell that is not set")


def _fail(error: ReplicateError) -> int:
    """Print an error as one line and return its exit code."""
    text = " ".join(str(error).split())
    if len(text) > _LONGEST_LINE:  # it quotes a path or a name of thousands of characters
        text = f"{text[: _LONGEST_LINE // 2]} ... {text[-_LONGEST_LINE // 4 :]}"
    console.log.error("error (%s): %s", error.kind, text)
    return error.exit_code
