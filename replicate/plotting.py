"""The frame of every figure: sizes and fonts for print, title, footer, and reproducible bytes.

Figures use matplotlib's objects without pyplot, so that there is no global state and no display is needed.
"""

from __future__ import annotations

import io
import logging
import textwrap
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from replicate import escape
from replicate.machine import without_display

with without_display():
    import matplotlib
    from matplotlib.figure import Figure
    from matplotlib.text import Text
    from rich.cells import cell_len

    from replicate.fonts import Letters

log = logging.getLogger(__name__)

DPI = 200
SMALL, NORMAL, LARGE = 7.0, 8.0, 10.0
# Average width of a letter of matplotlib's font in font sizes, rounded up.
LETTER = 0.57

# Series differ in their markers; the colours (Okabe and Ito's, for colour-blind readers) also differ in lightness.
MARKERS = ("o", "^", "s", "x", "D", "v", "+", "*", "<", ">")
COLOURS = ("#000000", "#E69F00", "#0072B2", "#CC79A7", "#D55E00", "#56B4E9", "#009E73")

_STYLE = {
    "font.size": NORMAL,
    "axes.titlesize": NORMAL,
    "axes.labelsize": NORMAL,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "legend.fontsize": SMALL,
    "axes.linewidth": 0.6,
    # Names of corpora and classes may contain a dollar sign, which must not start a formula.
    "text.parse_math": False,
    "figure.constrained_layout.h_pad": 0.06,
    # Text as outlines, which look the same without the font.
    "svg.fonttype": "path",
}

_letters: ContextVar[Letters | None] = ContextVar("letters", default=None)


@dataclass(frozen=True)
class Frame:
    """Title above the panels and footer below them."""

    title: str
    footer: str


@contextmanager
def style(name: str) -> Iterator[Letters]:
    """Use these settings instead of the user's matplotlibrc within a ``with`` block.

    Yields what ``label`` uses for letters that the font lacks.

    Args:
        name: seeds the ids inside an SVG, so that they differ between figures on one page.
    """
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update({**_STYLE, "svg.hashsalt": name})
        found = Letters()
        token = _letters.set(found)
        try:
            yield found
        finally:
            _letters.reset(token)


def label(text: str) -> str:
    """Return text as it can be drawn; all text that is not from this package goes through this function."""
    found = _letters.get()
    return escape.line(text) if found is None else found(text)


def sheet(frame: Frame, width: float, height: float) -> Figure:
    """Make an empty figure whose panels take ``width`` x ``height`` inches, with title above and footer below."""
    width = max(width, 3.5)
    title, footer = wrapped(frame.title, width, LARGE), wrapped(frame.footer, width, SMALL)
    lines = (title.count("\n") + 1) * LARGE + (footer.count("\n") + 1) * SMALL
    figure = Figure(figsize=(width, height + lines * 1.4 / 72), layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize=LARGE)
    figure.supxlabel(footer, x=0.01, ha="left", fontsize=SMALL)
    return figure


def wrapped(text: str, width: float, size: float) -> str:
    """Wrap ``label(text)`` to lines that fit ``width`` inches at font size ``size``."""
    text = label(text)
    wide = cell_len(text) / max(len(text), 1)  # Chinese letters are twice as wide
    return textwrap.fill(text, max(10, int(width * 72 / (size * LETTER * wide))))


def in_legend(text: str) -> str:
    """Wrap ``label(text)`` to lines that leave room for the panels."""
    return wrapped(text, 2.2, SMALL)


def short(name: str) -> str:
    """Shorten ``label(name)`` to at most 14 letters for an axis, keeping its end, where similar names often differ."""
    name = label(name)
    if cell_len(name) <= 14:
        return name
    return f"{name[:7]}…{name[-6:]}" if cell_len(name) == len(name) else f"{name[:3]}…{name[-3:]}"


def render(figure: Figure) -> dict[str, bytes]:
    """Render a figure as png and svg, by suffix; without dates and versions, so that the bytes are reproducible."""
    letters = _letters.get()
    if letters is not None and letters.numbers.words:
        legend = f"Words with letters that no installed font has are numbered: {letters.numbers.coded()}."
        footer = figure.get_supxlabel()
        width = figure.get_size_inches()[0]
        figure.supxlabel(f"{footer}\n{wrapped(legend, width, SMALL)}".strip(), x=0.01, ha="left", fontsize=SMALL)
    if letters is not None and len(letters.families) > 1:
        for text in figure.findobj(Text):
            text.set_fontfamily(letters.families)
        matplotlib.rcParams["font.family"] = letters.families  # of what is only made while drawing
    found = {}
    for suffix, without in (("png", ("Software",)), ("svg", ("Date", "Creator"))):
        out = io.BytesIO()
        with warnings.catch_warnings(record=True) as caught:  # about the layout of very long names
            figure.savefig(out, format=suffix, dpi=DPI, metadata=dict.fromkeys(without))
        for each in caught:
            log.debug("figure %s: %s", figure.get_suptitle(), each.message)
        found[suffix] = out.getvalue()
        figure.set_layout_engine("none")  # keep the layout of the first file for the second
    return found
