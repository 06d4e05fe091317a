"""Hostile text in lists, lines, options and forged files: in this process, with every output that shows it."""

from __future__ import annotations

import importlib.util
import io
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
import pytest

from replicate.corpus import archive
from replicate.report import data_files
from tests.export import tiny_bundle
from tests.hostile import NAME, TEXT, corpus, problems
from tests.report.builders import result, table

# In place of a field that is separated by blanks.
WORD = "_".join(NAME.split())
BEGINNINGS = ("=1", "+1+1", "-a", "@a", "\t=1", "\r=1", "\n@a", "\x1b[2J=1", "\0=1", "\u202e=1", " =1", "\uff1d1")
Run = Callable[..., Any]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def checked(replicate: Run) -> Run:
    """Run a command, in whose output nothing may be wrong, and return its status and stdout."""

    def run(*arguments: object, kind: str = "terminal") -> tuple[int, str]:
        status, stdout, stderr = replicate(*arguments)
        assert problems(stdout, kind) == problems(stderr, "terminal") == [], arguments
        assert "Traceback" not in stderr
        assert status == 0 or stderr.rpartition("\n\n")[2].lower().startswith(("error", "warning", "note")), stderr
        return status, stdout

    return run


@pytest.mark.parametrize("text", [*BEGINNINGS, TEXT])
def test_every_csv_of_results(text: str) -> None:
    """Names of tables, rows, classes, corpora, protocols, profiles and folds."""
    of = table(name=text, rows=(f"{text}a", f"{text}b"))
    labels = (f"{text}0", f"{text}1")
    made = result(of, corpus=text, protocol=text, profile=text, labels=labels)
    rows = {name: {c: replace(cell, labels=labels) for c, cell in cells.items()} for name, cells in made.rows.items()}
    made = replace(made, rows=rows)
    for content in (data_files.table_csv(made), data_files.scores_csv([made]), data_files.comparisons_csv([made])):
        assert problems(content, "csv") == []
    assert problems(data_files.table_csv(replace(made, folds=(text,), divided=text)), "csv") == []


@pytest.mark.parametrize("text", [NAME, TEXT])
def test_lines_of_a_stream_and_forged_metadata(
    text: str, checked: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forge(model: onnx.ModelProto) -> None:
        found = {entry.key: entry.value for entry in model.metadata_props}
        names = {"labels": [f"{NAME} 0", f"{NAME} 1"], "speakers": ["M", NAME], "arm": text, "protocol": text}
        other = {"corpus": {"name": text, "hash": "ab"}, "run": text, "versions": {text: text}}
        tiny_bundle.set_metadata(model, found | {key: json.dumps(value) for key, value in (names | other).items()})

    folder = tiny_bundle.write(tmp_path / "bundle", forge, forge)
    quoted = '"' + text.replace('"', '""') + '"'
    lines = {
        "csv": tiny_bundle.HEADER + "".join(f"{quoted},M,0.5,{value}\n" for value in ("0.5", text.split()[0])),
        "json": "".join(
            json.dumps({"dialogue": text, "speaker": speaker, "features": [0, 1]}) + "\n" for speaker in ("M", TEXT)
        ),
    }
    for form, content in lines.items():
        for option in ("--csv", "--json"):
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content.encode())))
            shown = [option] if option == "--json" else []
            status, stdout = checked("predict", folder, "--stream", *shown, kind=option[2:])
            # The first line is predicted, the second is wrong; forged names may be refused before.
            assert status == 1 and (text == TEXT or len(stdout.splitlines()) in (1, 2)), (form, stdout)


def test_names_of_streams(checked: Run) -> None:
    made = corpus()
    archive.write(made, Path("c.npz"))
    assert NAME in checked("data", "info", "c.npz")[1]
    options = ("--stream", NAME, "--as", f"{NAME} 2", "--out", "d.npz")
    assert checked("data", "merge", "c.npz", "c.npz", *options)[0] == 0
    assert f"{NAME} 2" in checked("data", "info", "d.npz")[1]
    for wrong in (TEXT, f"{NAME}?"):
        assert checked("data", "merge", "c.npz", "c.npz", "--stream", wrong, "--out", "e.npz")[0] == 1


LISTS = {
    "names.rttm": ("".join(f"SPEAKER call.{WORD} 1 {i} 0.4 <NA> <NA> {WORD} <NA> <NA>\n" for i in range(2)), 0),
    "other.rttm": (f"SPEAKER {WORD} 1 0 0.4 <NA> <NA> M <NA> <NA>\n", 1),
    "channel.rttm": ("".join(f"SPEAKER call {c} 0 0.4 <NA> <NA> M <NA> <NA>\n" for c in (WORD, "\x1b[2J\u202e")), 0),
    "id.rttm": ("SPEAKER call\x1b[2J\0\u202e 1 0 0.4 <NA> <NA> M <NA> <NA>\n", 0),
    "speaker.rttm": ("SPEAKER call 1 0 0.4 <NA> <NA> \x1b[2JM <NA> <NA>\n", 1),
    "type.rttm": ("\x1b[2J call 1 0 0.4\n", 1),
    "times.rttm": ("SPEAKER call 1 \x1b[2J \u202e <NA> <NA> M <NA> <NA>\n", 1),
    "blank.rttm": ("SPEAKER \x1b[2J call 1 0 0.4 <NA> <NA> M <NA> <NA>\n", 1),
    "names.csv": ('start,end,speaker,"=a"\n0,0.4,"' + NAME.replace('"', '""') + '",\n', 0),
    "speaker.csv": ('start,end,speaker\n0,0.4,"' + TEXT.replace('"', '""') + '"\n', 1),
    "times.csv": ("start,end,speaker\n\x1b[2J,\u202e,M\n", 1),
    "columns.csv": ("start,end,\x1b[2J\u202e\n0,1,M\n", 1),
}


@pytest.mark.parametrize("name", LISTS)
def test_lists_of_segments(name: str, checked: Run, tmp_path: Path) -> None:
    if importlib.util.find_spec("opensmile") is None:
        pytest.skip("needs the extra [audio]")
    from tests.recordings import tone, write_wav

    content, status = LISTS[name]
    Path(name).write_bytes(content.encode())
    write_wav(tmp_path / "call.wav", tone(1.5))
    assert checked("features", "opensmile", "call.wav", "--segments", name, "--out", "s.npz")[0] == status
    if status == 0:
        checked("data", "info", "s.npz")


_RUN = ("run", "table2", "--dry-run", "--data", "synthetic-tiny")
_CHOICES = ("seeds", "seed", "jobs", "profile", "protocol", "folds", "task", "metric", "privileged", "config-dir")
OPTIONS: list[tuple[str, ...]] = [
    *((*_RUN, f"--{name}") for name in _CHOICES),
    ("run",),
    ("run", "table2", "--dry-run", "--data"),
    ("sweep",),
    ("data",),
    ("data", "info"),
    ("data", "fetch"),
    ("runs", "show"),
    ("runs", "list", "--store"),
    ("check", "claims"),
    ("check", "bundle"),
    ("report", "--results"),
    ("export", "onnx", "--results"),
    ("predict",),
    ("features", "text", "--out", "o.npz"),
    ("features", "text", ".", "--out", "o.npz", "--like"),
]


@pytest.mark.parametrize("before", OPTIONS, ids=" ".join)
def test_arguments(before: tuple[str, ...], checked: Run) -> None:
    """They are refused, or name what is not there."""
    status, _ = checked(*before, f"x\x1b[2J\u202e\n=y {NAME}".replace("/", ""))
    assert status in (1, 2) or before[-1] == "--store"
    assert not list(Path().iterdir())
