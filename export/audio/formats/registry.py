"""All formats of timelines, by the names that ``replicate predict --format`` takes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib.util import find_spec
from typing import NamedTuple

from export.audio.formats import eaf, rttm, subtitles, tables, textgrid, whisperx
from export.audio.timeline import Timeline
from replicate import suggest
from replicate.errors import InvalidArgument, MissingExtra
from replicate.limits import shown


class Format(NamedTuple):
    """A format of timelines.

    Attributes:
        suffix: of its files, without the dot.
        write: returns the text of a file; call ``text``.
        several: whether one file holds several dialogues, instead of exactly one.
        library: module of the extra ``audio`` that it needs.
        note: what a file lacks, for users.
    """

    suffix: str
    write: Callable[[Timeline], str]
    several: bool = False
    library: str = ""
    note: str = ""

    def text(self, timeline: Timeline) -> str:
        """Return the text of a file.

        Raises:
            InvalidArgument: the timeline has several dialogues, or none, and a file of this format holds one.
        """
        if not self.several and len(timeline.dialogues) != 1:
            count = len(timeline.dialogues)
            raise InvalidArgument(f"a .{self.suffix} file holds one dialogue, not {count}: give one of `dialogues`")
        return self.write(timeline)


FORMATS = {
    "csv": Format("csv", tables.to_csv, several=True),
    "json": Format("json", tables.to_json, several=True),
    "tsv": Format("tsv", tables.to_tsv, several=True),
    "vtt": Format("vtt", subtitles.to_vtt),
    "srt": Format("srt", subtitles.to_srt),
    "textgrid": Format("TextGrid", textgrid.to_textgrid, library="praatio"),
    "eaf": Format("eaf", eaf.to_eaf, library="pympi"),
    "whisperx": Format("json", whisperx.to_whisperx),
    "rttm": Format(
        "rttm", rttm.to_rttm, several=True, note="RTTM has no field for an emotion: it holds who speaks when alone"
    ),
}


def check(names: Iterable[str]) -> None:
    """Make sure that timelines can be written in some formats, before they are predicted.

    Raises:
        InvalidArgument: there is no format of a name. MissingExtra: a library is not installed.
    """
    for name in names:
        if name not in FORMATS:
            raise InvalidArgument(f"there is no format {shown(name)}: {suggest.choices(name, list(FORMATS))}")
        library = FORMATS[name].library
        if library and find_spec(library) is None:
            raise MissingExtra(
                f"{library} not installed, which the format {name} needs: run `make setup`, or "
                "`pip install -e '.[audio]'` in a checkout"
            )
