"""The sheet that every figure is drawn on: sizes and fonts for print, title, footer, and bytes that repeat.

Figures are made through matplotlib's objects, without pyplot: nothing is registered, no display is looked for.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import matplotlib
from matplotlib.figure import Figure

DPI = 200
SMALL, NORMAL, LARGE = 7.0, 8.0, 10.0
# Width of a letter of the font that comes with matplotlib, in font sizes: an average, on the safe side.
LETTER = 0.57

# Told apart by shape first; the colours (Okabe and Ito's, safe for the colour-blind) differ in lightness, too.
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
    # Names of corpora and classes are any text; a dollar sign in them starts no formula.
    "text.parse_math": False,
    "figure.constrained_layout.h_pad": 0.06,
    # Outlines: looks the same where the font is not installed.
    "svg.fonttype": "path",
}


@dataclass(frozen=True)
class Frame:
    """What stands around the panels."""

    title: str
    footer: str


@contextmanager
def style(name: str) -> Iterator[None]:
    """Our settings, whatever the user's matplotlibrc says; theirs come back at the end.

    ``name`` seeds the ids inside an SVG, so that two on one page do not share them.
    """
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update({**_STYLE, "svg.hashsalt": name})
        yield


def sheet(frame: Frame, width: float, height: float) -> Figure:
    """An empty figure whose panels take ``width`` x ``height`` inches, with title above and footer below."""
    width = max(width, 3.5)
    title, footer = wrapped(frame.title, width, LARGE), wrapped(frame.footer, width, SMALL)
    lines = (title.count("\n") + 1) * LARGE + (footer.count("\n") + 1) * SMALL
    figure = Figure(figsize=(width, height + lines * 1.4 / 72), layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize=LARGE)
    figure.supxlabel(footer, x=0.01, ha="left", fontsize=SMALL)
    return figure


def wrapped(text: str, width: float, size: float) -> str:
    """``text`` in lines that fit ``width`` inches."""
    return textwrap.fill(text, max(10, int(width * 72 / (size * LETTER))))


def short(name: str) -> str:
    """A name that fits beside an axis: 14 letters at most. Names that belong together often differ in their ends."""
    return name if len(name) <= 14 else f"{name[:7]}…{name[-6:]}"


def render(figure: Figure) -> dict[str, bytes]:
    """Content of the files by suffix; without dates and versions, so that the same runs give the same bytes."""
    found = {}
    for suffix, without in (("png", ("Software",)), ("svg", ("Date", "Creator"))):
        out = io.BytesIO()
        figure.savefig(out, format=suffix, dpi=DPI, metadata=dict.fromkeys(without))
        found[suffix] = out.getvalue()
        figure.set_layout_engine("none")  # what was laid out for the first file holds for the second
    return found
