"""Small documents in the formats of annotation programs, written out as those programs write them."""

from __future__ import annotations

from collections.abc import Sequence

LONG = """File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 5.25
tiers? <exists>
size = 3
item []:
    item [1]:
        class = "IntervalTier"
        name = "Zoë ""Z"" Q"
        xmin = 0
        xmax = 5.25
        intervals: size = 3
        intervals [1]:
            xmin = 0
            xmax = 1.5
            text = ""
        intervals [2]:
            xmin = 1.5
            xmax = 2
            text = "item [2]: she replied ""no""
! not a comment"
        intervals [3]:
            xmin = 2
            xmax = 5.25
            text = "  "
    item [2]:
        class = "TextTier"
        name = "clicks"
        xmin = 0
        xmax = 5.25
        points: size = 1
        points [1]:
            number = 0.5
            mark = "x"
    item [3]:
        class = "IntervalTier"
        name = "B"
        xmin = 0
        xmax = 5.25
        intervals: size = 2
        intervals [1]:
            xmin = 0
            xmax = 1.75
            text = "yes"
        intervals [2]:
            xmin = 1.75
            xmax = 5.25
            text = ""
"""
SHORT = """File type = "ooTextFile"
Object class = "TextGrid"

0
5.25
<exists>
3
"IntervalTier"
"Zoë ""Z"" Q"
0
5.25
3
0
1.5
""
1.5
2
"item [2]: she replied ""no""
! not a comment"
2
5.25
"  " ! a comment with "quotes" and 5 numbers
"TextTier"
"clicks"
0
5.25
1
0.5
"x"
"IntervalTier"
"B"
0
5.25
2
0
1.75
"yes"
1.75
5.25
""
"""

SLOTS = ((1, 1500), (2, 2000), (3, 0), (4, 1750), (5, None), (6, 3000))


def eaf(tiers: str = "", head: str = "", header: str = 'TIME_UNITS="milliseconds"') -> str:
    """A document with six time slots, of which the fifth has no time."""
    slots = "".join(
        f'<TIME_SLOT TIME_SLOT_ID="ts{i}"{"" if time is None else f""" TIME_VALUE="{time}" """}/>' for i, time in SLOTS
    )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n{head}<ANNOTATION_DOCUMENT AUTHOR="" '
        f'DATE="2020-01-01T00:00:00+00:00" FORMAT="3.0" VERSION="3.0">\n<HEADER MEDIA_FILE="" {header}>'
        '<MEDIA_DESCRIPTOR MEDIA_URL="file:///etc/passwd" MIME_TYPE="audio/x-wav"/></HEADER>\n'
        f"<TIME_ORDER>{slots}</TIME_ORDER>\n{tiers or tier() + tier('B', (('a2', 3, 4), ('a3', 5, 6)), '')}"
        '<LINGUISTIC_TYPE LINGUISTIC_TYPE_ID="default-lt"/>\n</ANNOTATION_DOCUMENT>\n'
    )


def tier(
    name: str = "Zoë&apos;s &lt;tier&gt;",
    annotations: Sequence[tuple[str, int, int]] = (("a1", 1, 2),),
    more: str = 'PARTICIPANT="Zoë &quot;Z&quot; Q"',
) -> str:
    """A tier with annotations, each its identifier and its two time slots."""
    made = "".join(
        f'<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="{id_}" TIME_SLOT_REF1="ts{first}" TIME_SLOT_REF2="ts{last}">'
        "<ANNOTATION_VALUE>words</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>\n"
        for id_, first, last in annotations
    )
    return f'<TIER LINGUISTIC_TYPE_REF="default-lt" TIER_ID="{name}" {more}>\n{made}</TIER>\n'


WHISPERX = """{"segments": [
  {"start": 1.5, "end": 2, "text": " No.", "speaker": "Zoë \\"Z\\" Q", "avg_logprob": -0.1,
   "words": [{"word": "No.", "start": 1.5, "end": 2.0, "score": 0.9, "speaker": "B"}]},
  {"start": 0.0, "end": 1.75, "text": " Yes.", "speaker": "B", "words": []}
], "word_segments": [{"word": "No."}], "language": "en"}
"""
