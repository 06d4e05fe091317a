"""The folder of the page: all its files, and nothing else is ever replaced."""

from __future__ import annotations

import base64
import json
import re

import pytest

from export.audio.plot import HATCHES
from export.bundle_files import WAV_STREAM
from export.demo import page_folder
from export.demo.page_folder import ASSETS, NAMES, write
from export.demo.runtime import Runtime
from export.predictor import BadBundle
from replicate.errors import CannotWrite
from replicate.plotting import COLOURS
from tests.export import tiny_bundle
from tests.hostile import NAME

from . import wave_bundle

RUNTIME = Runtime(b"script", "module \u2028 </script>".encode(), b"\0\1")


def data(path, name):
    """What a script assigns."""
    return json.loads(re.search(rf"demo\.{name} = (.*);\n", path.read_text(encoding="ascii"))[1])


def test_the_folder_holds_the_model_and_the_runtime(tmp_path):
    bundle = wave_bundle.write(tmp_path / "bundle", labels=[NAME, "b"])
    index = write(bundle, RUNTIME, tmp_path / "site")
    site = index.parent
    assert {path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()} == NAMES
    found = data(site / "bundle.js", "bundle")
    assert base64.b64decode(found["model"]) == (bundle / WAV_STREAM).read_bytes()
    assert (found["labels"], found["speakers"], found["state"]) == ([NAME, "b"], ["M", "Zoë"], 4)
    program = data(site / "vendor" / "runtime.js", "runtime")
    assert program["mjs"].encode() == RUNTIME.module and base64.b64decode(program["wasm"]) == RUNTIME.binary
    assert (site / "vendor" / "ort.wasm.min.js").read_bytes() == b"script"
    assert "Microsoft" in (site / "vendor" / "onnxruntime-LICENSE.txt").read_text()


def test_the_page_loads_its_own_files_alone(tmp_path):
    text = (ASSETS / "index.html").read_text(encoding="utf-8")
    loaded = set(re.findall(r'(?:src|href)="([^"]+)"', text)) - {"data:,"}
    assert loaded <= NAMES and "unsafe-inline" not in text and "default-src 'none'" in text
    assert page_folder.MARK in text.encode()


def test_emotions_have_the_colours_of_pictures():
    style = (ASSETS / "style.css").read_text(encoding="utf-8")
    colours = re.findall(r"\.c(\d) { --c: (#\w{6}); }", style)
    assert colours == [(str(i), colour.lower()) for i, colour in enumerate(COLOURS[1:])]
    program = (ASSETS / "app.js").read_text(encoding="utf-8")
    assert f"COLOURS = {len(colours)}, HATCHES = {len(HATCHES)};" in program


def test_only_an_earlier_page_is_replaced(tmp_path):
    bundle, site = wave_bundle.write(tmp_path / "bundle"), tmp_path / "site"
    site.mkdir()
    write(bundle, RUNTIME, site)
    (site / "style.css").write_text("changed")
    write(bundle, RUNTIME, site)
    assert (site / "style.css").read_bytes() == (ASSETS / "style.css").read_bytes()
    (site / "notes.txt").write_text("mine")
    with pytest.raises(CannotWrite, match=r"also contains notes.txt"):
        write(bundle, RUNTIME, site)
    other = tmp_path / "other"
    other.mkdir()
    (other / "index.html").write_text("mine")
    with pytest.raises(CannotWrite, match="is not an earlier page"):
        write(bundle, RUNTIME, other)
    assert (other / "index.html").read_text() == "mine" and (site / "notes.txt").read_text() == "mine"
    with pytest.raises(CannotWrite, match="is not an earlier page"):
        write(bundle, RUNTIME, other / "index.html")


def test_a_bundle_without_sound_leaves_the_earlier_page(tmp_path):
    site = tmp_path / "site"
    write(wave_bundle.write(tmp_path / "bundle"), RUNTIME, site)
    before = (site / "bundle.js").read_bytes()
    with pytest.raises(BadBundle, match="takes openSMILE"):
        write(tiny_bundle.write(tmp_path / "other"), RUNTIME, site)
    assert (site / "bundle.js").read_bytes() == before
