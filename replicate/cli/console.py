"""What commands print with: results go to stdout, status lines to stderr and to the log file.

Status lines are records of the standard loggers ``replicate`` and ``export``, so that ``-q``, ``-v`` and ``--log-file``
hold for all of them. Names of corpora and files are never interpreted as markup or control characters.
"""

from __future__ import annotations

import logging
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from replicate import __version__, escape
from replicate.files import from_os_error

if TYPE_CHECKING:
    from rich.console import Console

log = logging.getLogger("replicate")
_LOGGERS = (log, logging.getLogger("export"))
# Least level that reaches stderr: errors with -q, status lines by default, details with -v.
QUIET, NORMAL, VERBOSE = logging.ERROR, logging.INFO, logging.DEBUG


class _Stderr(logging.Handler):
    """Print records as plain lines on the stderr of the moment, which tests and progress bars replace."""

    def emit(self, record: logging.LogRecord) -> None:
        click.echo(_safe(record, record.getMessage()), err=True)


class _LogFile(logging.FileHandler):
    """Append records with time and level to a file."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        super().__init__(path, encoding="utf-8")
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s"))

    def format(self, record: logging.LogRecord) -> str:
        return _safe(record, super().format(record))

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (name of the logging module)
        """Stop logging to the file, for example when its disk is full; the command itself continues."""
        close_log_file()
        log.warning(f"warning: cannot write the log file {self.baseFilename}; it ends here")


_stderr = _Stderr(NORMAL)
_files: list[_LogFile] = []
for _logger in _LOGGERS:
    _logger.setLevel(logging.DEBUG)
    _logger.addHandler(_stderr)
    # Libraries such as onnxruntime.quantization give the root logger a handler, which would print every line again.
    _logger.propagate = False


def set_level(level: int) -> None:
    """Set the least level that reaches stderr."""
    _stderr.setLevel(level)


def level() -> int:
    """Return the least level that reaches stderr."""
    return _stderr.level


def open_log_file(path: Path) -> None:
    """Append all further records to ``path``, whatever reaches stderr.

    Raises:
        CannotWrite, DiskFull: the file cannot be opened.
    """
    try:
        handler = _LogFile(path)
    except OSError as error:
        raise from_os_error(error, path) from error
    _files.append(handler)
    for logger in _LOGGERS:
        logger.addHandler(handler)


def close_log_file() -> None:
    """Close the log file, if there is one."""
    while _files:
        handler = _files.pop()
        for logger in _LOGGERS:
            logger.removeHandler(handler)
        handler.close()


def results() -> Console:
    """Return a console for results, on stdout."""
    return _console(stderr=False)


def status() -> Console:
    """Return a console for spinners and progress bars, on stderr; silent with -q. Lines go through ``note``."""
    return _console(stderr=True)


def note(message: str) -> None:
    """Print a status line on stderr and write it to the log file."""
    log.info("%s", message)


def detail(message: str) -> None:
    """Write a line to the log file, and with -v print it on stderr."""
    log.debug("%s", message)


def suggest(*command: object) -> None:
    """Name the command to run next, quoted so that it can be pasted."""
    note(f"Next: replicate {shlex.join(map(str, command))}")


def count(number: int, noun: str) -> str:
    """Return ``1 run``, ``2 runs``."""
    return f"{number} {noun}" + "s" * (number != 1)


def echo(text: object = "", newline: bool = True, err: bool = False) -> None:
    """Print a result on stdout; characters that could control a terminal, such as in a file's name, are replaced."""
    click.echo(escape.terminal(str(text)), nl=newline, err=err)


def _safe(record: logging.LogRecord, text: str) -> str:
    """Return the text of a record: on one line, unless it is a detail, which may be a traceback."""
    return escape.terminal(text) if record.levelno <= VERBOSE else escape.line(text)


def _console(stderr: bool) -> Console:
    from rich.console import Console
    from rich.segment import Segment
    from rich.status import Status
    from rich.text import Text

    class PlainStatus(Status):
        def update(self, status: Any = None, **others: Any) -> None:
            """Show a text as it is; rich would interpret the name of an arm as markup."""
            super().update(Text(escape.line(status)) if isinstance(status, str) else status, **others)

    class PlainConsole(Console):
        def on_broken_pipe(self) -> None:
            """Pass the exception on; rich would exit with 1."""
            raise

        def render(self, *arguments: Any, **options: Any) -> Iterator[Segment]:
            """Yield what is printed; escape sequences of colours are not in its text, so that any there are foreign."""
            for piece in super().render(*arguments, **options):
                yield piece if piece.control else Segment(escape.terminal(piece.text), piece.style)

        def status(self, status: Any, **others: Any) -> Status:
            """Show a spinner with a text, which is no markup."""
            return PlainStatus(Text(escape.line(status)), console=self, **others)

    # A corpus or a folder may be called "[red]x"; that is its name, not a colour.
    quiet = stderr and level() > NORMAL
    console = PlainConsole(stderr=stderr, markup=False, emoji=False, highlight=False, quiet=quiet)
    if not console.is_terminal:
        console.width = 1000  # a file has no edge to cut cells at
    return console


def _set_level(_context: click.Context, parameter: click.Parameter, given: bool) -> None:
    if given:
        wanted = VERBOSE if parameter.name == "verbose" else QUIET
        if level() not in (NORMAL, wanted):
            raise click.UsageError("--verbose and --quiet exclude each other")
        set_level(wanted)


def _start_log_file(context: click.Context, _parameter: click.Parameter, path: Path | None) -> None:
    if path is not None:
        open_log_file(path)
        detail(f"version {__version__}: replicate {shlex.join(context.find_root().obj or ())}")


def add_options(command: click.Command) -> None:
    """Add --verbose, --quiet and --log-file to a command and to all commands below it."""
    if isinstance(command, click.Group):
        for each in command.commands.values():
            add_options(each)
    else:
        # A new list: hidden aliases share theirs with the command.
        command.params = [
            *command.params,
            click.Option(
                ["-v", "--verbose"],
                is_flag=True,
                expose_value=False,
                callback=_set_level,
                help="Also print details on stderr.",
            ),
            click.Option(
                ["-q", "--quiet"],
                is_flag=True,
                expose_value=False,
                callback=_set_level,
                help="Print results and errors only.",
            ),
            click.Option(
                ["--log-file"],
                type=click.Path(path_type=Path, dir_okay=False),
                metavar="FILE",
                expose_value=False,
                callback=_start_log_file,
                help="Append status lines, details and errors to FILE, with times.",
            ),
        ]
