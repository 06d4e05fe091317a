"""The frame of every figure: sizes and fonts for print, title, footer, and reproducible bytes.

Figures use matplotlib's objects without pyplot, so that there is no global state and no display is needed.
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


@dataclass(frozen=True)
class Frame:
    """Title above the panels and footer below them."""

    title: str
    footer: str


@contextmanager
def style(name: str) -> Iterator[None]:
    """Use these settings instead of the user's matplotlibrc within a ``with`` block.

    Args:
        name: seeds the ids inside an SVG, so that they differ between figures on one page.
    """
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update({**_STYLE, "svg.hashsalt": name})
        yield


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
    """Wrap ``text`` to lines that fit ``width`` inches at font size ``size``."""
    return textwrap.fill(text, max(10, int(width * 72 / (size * LETTER))))


def short(name: str) -> str:
    """Shorten a name to at most 14 letters for an axis, keeping its end, where similar names often differ."""
    return name if len(name) <= 14 else f"{name[:7]}…{name[-6:]}"


def render(figure: Figure) -> dict[str, bytes]:
    """Render a figure as png and svg, by suffix; without dates and versions, so that the bytes are reproducible."""
    found = {}
    for suffix, without in (("png", ("Software",)), ("svg", ("Date", "Creator"))):
        out = io.BytesIO()
        figure.savefig(out, format=suffix, dpi=DPI, metadata=dict.fromkeys(without))
        found[suffix] = out.getvalue()
        figure.set_layout_engine("none")  # keep the layout of the first file for the second
    return found
