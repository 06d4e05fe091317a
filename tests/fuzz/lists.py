"""Lists of segments and utterances that are changed: RTTM, CSV, TextGrid, EAF, JSON, and lists of IEMOCAP."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

from replicate.errors import ReplicateError
from replicate.features import folder, recording, transcripts
from replicate.features.source import Source
from tests.features.segments import documents
from tests.fuzz import mutations
from tests.fuzz.fields import of_fields
from tests.fuzz.harness import Reader, register

RTTM = """SPKR-INFO talk 1 <NA> <NA> <NA> unknown A <NA> <NA>
SPEAKER talk 1 1.50 0.50 <NA> <NA> B <NA> <NA>
SPEAKER talk 1 0.00 1.25 <NA> <NA> A 0.9 <NA>
SPEAKER talk 1 3 1 <NA> <NA> A
"""
SEGMENTS = "start,end,speaker\n0,1.9,A\n2,3.9,B\n4,5,A\n"
UTTERANCES = """dialogue,utterance,speaker,label,split,start,text
d1,u1,M,calm,train,0,Good morning
d1,u2,F,angry,train,2.5,"Not, at
all"
d2,train/u3,M,calm,test,,
"""
EVALUATION = """% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]

[1.5000 - 1.9000]\tSes01F_impro01_F000\tneu\t[2.5000, 2.5000, 2.5000]
C-E1:\tHappiness;\t()
[0.5000 - 0.9000]\tSes01F_impro01_M001\tang\t[2.5000, 2.5000, 2.5000]
"""
TRANSCRIPTION = "Ses01F_impro01_F000 [001.5000-001.9000]: Excuse me.\nSes01F_impro01_M001 [000.5000-000.9000]: Yes.\n"
TOKENS = (
    *("talk", "start", "end", "label", "split", "speaker", "utterance", "train", "dev", "test", "calm", "[", "]"),
    *(
        "neu",
        '"ooTextFile short"',
        '"TextGrid"',
        "<exists>",
        "<absent>",
        '"IntervalTier"',
        '"TextTier"',
        '"silent"',
        "!",
    ),
    *('TIER_ID="A"', 'PARTICIPANT=""', 'PARENT_REF="B"', '"ts1"', 'TIME_VALUE="1"', "<TIER ", "</TIER>", "/>", "&x;"),
    *("<!DOCTYPE a>", '<!DOCTYPE a [<!ENTITY x "y">]>', "<!-- ", "<![CDATA[", "&#0;", "&#x202e;", "<a>" * 10_000),
)


def _mutate(content: bytes, draws: random.Random) -> bytes:
    return of_fields(content, draws, TOKENS)


def _mutate_text(content: bytes, draws: random.Random) -> bytes:
    """Change a text in UTF-8, or in UTF-16 with its mark."""
    if content[:2] in (b"\xff\xfe", b"\xfe\xff") and draws.random() < 0.7:
        changed = of_fields(content.decode("utf-16", "replace").encode("utf-8", "replace"), draws, TOKENS)
        return changed.decode("utf-8", "replace").encode("utf-16")
    return _mutate(content, draws)


def _segments(path: Path) -> None:
    _check(recording.read(path.with_name("talk.wav"), path))


def _utterances(path: Path) -> None:
    lines, _ = folder.listed(path, "text")
    _check(folder.to_source("s", [line.utterance for line in lines], lines))


def _check(source: Source) -> None:
    """Check what was accepted: times in order, and names that can be printed."""
    for one in source.utterances:
        assert one.dialogue.isprintable() and one.name.isprintable() and one.speaker.isprintable() and one.speaker
        assert 0 <= one.start < float("inf") and (one.stop is None or one.start < one.stop < float("inf"))


def _release(path: Path, changed: str) -> None:
    """Read a release of IEMOCAP with one dialogue, one of whose files is changed."""
    root = path.with_name("release")
    shutil.rmtree(root, ignore_errors=True)
    dialog = root / "Session1" / "dialog"
    for name, text in (("EmoEvaluation", EVALUATION), ("transcriptions", TRANSCRIPTION)):
        (dialog / name).mkdir(parents=True)
        (dialog / name / "Ses01F_impro01.txt").write_text(text)
    shutil.copyfile(path, dialog / changed / "Ses01F_impro01.txt")
    _check(transcripts.read(root, allow_other_counts=True).source)


def _reader(name: str, seed: str, read: Callable[[Path], None], suffix: str) -> Reader:
    return Reader(name, lambda: [seed.encode()], read, _mutate, (ReplicateError,), suffix, (f"*{suffix}",))


@register("rttm")
def rttm() -> Reader:
    """RTTM, through --segments."""
    return _reader("rttm", RTTM, _segments, ".rttm")


@register("segments")
def segments() -> Reader:
    """CSV of segments, through --segments."""
    return _reader("segments", SEGMENTS, _segments, ".csv")


@register("textgrid")
def textgrid() -> Reader:
    """TextGrid in both forms, through --segments."""
    seeds = [documents.LONG.encode(), documents.SHORT.encode(), documents.SHORT.encode("utf-16")]
    return Reader("textgrid", lambda: seeds, _segments, _mutate_text, (ReplicateError,), ".TextGrid", ("*.TextGrid",))


@register("eaf")
def eaf() -> Reader:
    """EAF, through --segments."""
    tiers = documents.tier() + documents.tier("words", more='PARENT_REF="Z"') + documents.tier("B", more="")
    seeds = [documents.eaf().encode(), documents.eaf(tiers).encode()]
    return Reader("eaf", lambda: seeds, _segments, _mutate_text, (ReplicateError,), ".eaf", ("*.eaf",))


@register("whisperx")
def whisperx() -> Reader:
    """JSON of WhisperX, through --segments."""
    seeds = [documents.WHISPERX.encode(), b'[{"start": 0, "end": 1.5, "words": [{"speaker": "A"}]}]']
    return Reader("whisperx", lambda: seeds, _segments, mutations.of_json, (ReplicateError,), ".json")


@register("utterances")
def utterances() -> Reader:
    """CSV of a folder of recordings."""
    return _reader("utterances", UTTERANCES, _utterances, ".csv")


@register("evaluation")
def evaluation() -> Reader:
    """Labels of a dialogue of IEMOCAP."""
    return _reader("evaluation", EVALUATION, lambda path: _release(path, "EmoEvaluation"), ".txt")


@register("transcription")
def transcription() -> Reader:
    """Transcripts of a dialogue of IEMOCAP."""
    return _reader("transcription", TRANSCRIPTION, lambda path: _release(path, "transcriptions"), ".txt")
