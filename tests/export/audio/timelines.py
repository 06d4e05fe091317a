"""Timelines of one recording with any names, and what the files of every format must hold."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import strategies as st

from export.audio.timeline import Recording, Segment, Timeline
from replicate.features.tables import nfc

NAMES = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=12)
SPOKEN = st.lists(st.integers(0, 10**7), min_size=2, max_size=6, unique=True).map(sorted)


def one_line(name: str) -> str:
    """A name as files hold it: what is not printable replaced, in another way than the package does it."""
    blanks = "\t\n\v\f\r\x85\xa0\u2028\u2029\u1680\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
    text = "".join(" " if c in blanks else c if c.isprintable() else "\ufffd" for c in name).strip()
    return nfc(text) or "_"


@st.composite
def timelines(draw: st.DrawFn, plain: Callable[[str], str] = one_line) -> Timeline:
    """Speakers whose names stay different in the file, each with segments that do not overlap with its own."""
    speakers = draw(st.dictionaries(NAMES, SPOKEN, min_size=1, max_size=3))
    if len({plain(name) for name in speakers}) < len(speakers):
        speakers = dict([speakers.popitem()])
    spans = [
        (first / 1000, last / 1000, name)
        for name, at in speakers.items()
        for first, last in zip(at[::2], at[1::2], strict=False)
    ]
    segments = tuple(
        Segment("my call", i, name, start, end, (0.25, 0.75)) for i, (start, end, name) in enumerate(sorted(spans), 1)
    )
    recordings = {"my call": Recording("my call.wav", draw(st.floats(0, 2e4)))}
    return Timeline(draw(st.tuples(NAMES, NAMES)), segments, recordings=recordings)


def expected(timeline: Timeline, plain: Callable[[str], str] = one_line) -> list[tuple[float, float, str]]:
    """Start, end and speaker of every segment, sorted."""
    return sorted((one.start, one.end, plain(one.speaker)) for one in timeline.segments)


def read_back(text: str, suffix: str, read: Callable[[Path], object]) -> object:
    """Return what a reader makes of the text of a file."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"my call.{suffix}"
        path.write_text(text, encoding="utf-8", newline="")
        return read(path)
