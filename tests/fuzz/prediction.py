"""Input of a predictor that is changed: CSV of whole dialogues, and lines of CSV and JSON of a stream."""

from __future__ import annotations

import functools
import io
import random
import tempfile
from collections.abc import Callable
from pathlib import Path

from export.lines import bounded
from export.predictor import BadInput, Predictor
from export.program import predict_files, predict_lines
from tests.export import tiny_bundle
from tests.fuzz.fields import of_fields
from tests.fuzz.harness import Reader, register

CSV = tiny_bundle.HEADER + "a,M,0,1\nb,Zo\u00eb,0.5,-1e3\na,M,2,3\n"
OBJECT = '{"dialogue": "a", "speaker": "M", "features": [0, 1]}\n'
JSON = OBJECT + OBJECT.replace("[0", "[-1e3")
TOKENS = ("dialogue", "speaker", "features", "f0", '"features": [', "]", "}", "NaN", "Infinity", "1" * 5_000)


def _mutate(content: bytes, draws: random.Random) -> bytes:
    return of_fields(content, draws, TOKENS)


@functools.cache
def _tiny() -> Predictor:
    return Predictor(tiny_bundle.write(Path(tempfile.mkdtemp(prefix="fuzz-bundle-")) / "bundle"))


def _file(path: Path) -> None:
    predict_files(_tiny(), [path])


def _stream(path: Path) -> None:
    with path.open("rb") as file:
        text = io.TextIOWrapper(file, "utf-8-sig", newline="")
        for line in predict_lines(_tiny(), bounded(text, "stdin"), as_json=True):
            assert "\n" not in line[:-1]


def _reader(name: str, seeds: list[str], read: Callable[[Path], None]) -> Reader:
    _tiny()  # before the children are made
    return Reader(name, lambda: [seed.encode() for seed in seeds], read, _mutate, (BadInput,), ".csv")


@register("predict-file")
def files() -> Reader:
    """CSV of ``replicate predict BUNDLE FILE.csv``."""
    return _reader("predict-file", [CSV], _file)


@register("predict-lines")
def lines() -> Reader:
    """CSV and JSON lines of ``replicate predict --stream``."""
    return _reader("predict-lines", [CSV, JSON], _stream)
