"""Write the page: a folder that answers in a browser without a network, also where it is opened as a file.

Browsers load neither modules nor binary files of a page that is opened as a file, so scripts are classic ones, and the
model and onnxruntime-web's program are base64 in scripts.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from export.bundle_files import WAV_STREAM
from export.demo.runtime import SCRIPT, VERSION, Runtime
from export.demo.shipped import limits
from export.demo.wave_stream import WaveModel
from replicate.errors import CannotWrite
from replicate.files import atomic_folder, from_os_error

ASSETS = Path(__file__).with_name("page")
INDEX, BUNDLE, RUNTIME, LICENCE = "index.html", "bundle.js", "vendor/runtime.js", "onnxruntime-LICENSE.txt"
SCRIPTS = ("activity.js", "distance.js", "rate.js", "resample.js", "model.js", "sound.js", "timeline.js", "app.js")
NAMES = frozenset(
    {INDEX, BUNDLE, RUNTIME, "style.css", "model-card.md", *SCRIPTS, f"vendor/{LICENCE}", f"vendor/{SCRIPT}"}
)
# What an earlier page has in its head.
MARK = b'<meta name="generator" content="replicate demo --page">'


def write(bundle: Path, runtime: Runtime, target: Path) -> Path:
    """Write the page for a bundle; an earlier page in the folder is replaced. Returns the path of ``index.html``.

    Raises:
        BadBundle: the bundle's model does not take sound utterance by utterance. CannotWrite: the folder has other
            content. DiskFull: nothing was written.
    """
    model = WaveModel(bundle)
    target = target.resolve()  # replaces the folder that a link leads to, not the link
    require_replaceable(target)
    with atomic_folder(target, replace=True) as folder:
        (folder / "vendor").mkdir()
        for name in (INDEX, "style.css", *SCRIPTS):
            (folder / name).write_bytes((ASSETS / name).read_bytes())
        (folder / "vendor" / LICENCE).write_bytes((ASSETS / LICENCE).read_bytes())
        (folder / "vendor" / SCRIPT).write_bytes(runtime.script)
        program = {"version": VERSION, "mjs": runtime.module.decode("utf-8"), "wasm": _base64(runtime.binary)}
        (folder / RUNTIME).write_text(_script("runtime", program), encoding="utf-8")
        content = {
            "labels": model.labels,
            "speakers": model.speakers,
            "state": model.metadata["state"],
            "corpus": model.metadata["corpus"]["name"],
            "range": model.metadata["range"],
            "limits": limits(bundle, model.metadata),
            "model": _base64((bundle / WAV_STREAM).read_bytes()),
        }
        (folder / BUNDLE).write_text(_script("bundle", content), encoding="utf-8")
        card = bundle / "README.md"
        (folder / "model-card.md").write_bytes(card.read_bytes() if card.is_file() else b"")
    return target / INDEX


def require_replaceable(target: Path) -> None:
    """Refuse to replace anything but an earlier page without additional files. Raises: CannotWrite."""
    try:
        if not target.exists():
            return
        files = {path.relative_to(target).as_posix() for path in target.rglob("*") if not path.is_dir()}
        head = b""
        if INDEX in files:
            with (target / INDEX).open("rb") as file:
                head = file.read(4096)
    except OSError as error:
        raise from_os_error(error, target) from error
    if not target.is_dir() or (files and MARK not in head):
        raise CannotWrite(f"{target} exists and is not an earlier page: choose another folder with --page")
    others = sorted(files - NAMES)
    if others:
        raise CannotWrite(
            f"{target} also contains {others[0]}, which is not part of the page: move that file, or choose another "
            "folder with --page"
        )


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _script(name: str, content: dict[str, Any]) -> str:
    """Return a script that holds data; JSON in ASCII has nothing that could end it."""
    return f"globalThis.demo = globalThis.demo ?? {{}};\ndemo.{name} = {json.dumps(content)};\n"
