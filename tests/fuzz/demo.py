"""What ``replicate demo`` reads: recordings, predicted as they arrive, and the npm package of its page."""

from __future__ import annotations

import gzip
import hashlib
import io
import random
import tarfile
import tempfile
import zlib
from importlib.util import find_spec
from pathlib import Path
from unittest import mock

from replicate.errors import ReplicateError
from tests.fuzz import audio
from tests.fuzz.harness import Reader, register
from tests.fuzz.mutations import of_bytes

_ZEROS = bytes(100)


def _package() -> bytes:
    """Return a package with a hundred zeros in each file."""
    from export.demo.runtime import HASHES

    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name in HASHES:
            about = tarfile.TarInfo(f"package/dist/{name}")
            about.size = len(_ZEROS)
            archive.addfile(about, io.BytesIO(_ZEROS))
    return out.getvalue()


def _mutate(content: bytes, draws: random.Random) -> bytes:
    """Change the archive before or after it is compressed."""
    try:
        inside = gzip.decompress(content) if draws.random() < 0.7 else None
    except (OSError, EOFError, zlib.error):  # it was changed before
        inside = None
    return of_bytes(content, draws) if inside is None else gzip.compress(of_bytes(inside, draws), 1)


@register("npm-package")
def package() -> Reader:
    """Packages given with ``--onnxruntime-web``."""
    from export.demo import runtime

    digest = hashlib.sha256(_ZEROS).hexdigest()

    def read(path: Path) -> None:
        with mock.patch.object(runtime, "HASHES", dict.fromkeys(runtime.HASHES, digest)):
            assert runtime.runtime(path).binary == _ZEROS

    return Reader("npm-package", lambda: [_package()], read, _mutate, (ReplicateError,), ".tgz")


def live() -> Reader:
    """Recordings, through ``replicate demo``."""
    from export.demo.live import follow
    from export.demo.sources import recording
    from export.demo.wave_stream import WaveModel
    from tests.export.demo import wave_bundle

    bundle = wave_bundle.write(Path(tempfile.mkdtemp(prefix="fuzz-live-")) / "bundle")

    def read(path: Path) -> None:
        model = WaveModel(bundle)
        for one in follow(model, recording(path, fast=True), model.speakers):
            assert 0 <= one.start < one.end

    return Reader("live", audio.seeds, read, audio.mutate, (ReplicateError,), ".wav", ("*.wav", "*.flac"))


if find_spec("soundfile") is not None:
    register("live")(live)
