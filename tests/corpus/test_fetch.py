from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from replicate.corpus import fetch as module
from replicate.corpus.catalogue import PublishedFile
from replicate.corpus.fetch import fetch
from replicate.corpus.readers.base import NamedCorpus
from replicate.errors import CannotWrite, DiskFull, DownloadFailed, HashMismatch, UnknownCorpus
from tests.corpus_readers import register_corpus

ONE, TWO = bytes(range(256)) * 200, b"second"


def blob(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class Server:
    """Serves ``files`` from 127.0.0.1 and records requests; can break connections or ignore ranges."""

    def __init__(self) -> None:
        self.files = {"/o/r/abc/data/one.bin": ONE, "/o/r/abc/data/sub/two.bin": TWO}
        self.asked: list[tuple[str, str | None]] = []
        self.break_after: int | None = None
        self.ranges = True
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.answer(self)

            def log_message(self, *arguments: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        asked = request.headers.get("Range")
        self.asked.append((request.path.rsplit("/", 1)[1], asked))
        content = self.files.get(request.path)
        if content is None:
            return request.send_error(404)
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and self.ranges else 0
        if asked and start >= len(content):
            return request.send_error(416)
        request.send_response(206 if start else 200)
        request.send_header("Content-Length", str(len(content) - start))
        if start:
            request.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        request.end_headers()
        request.wfile.write(content[start : None if self.break_after is None else start + self.break_after])

    def stop(self) -> None:
        self.http.shutdown()
        self.http.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.stop()


@pytest.fixture(autouse=True)
def entry(monkeypatch: pytest.MonkeyPatch) -> None:
    files = (
        PublishedFile("o/r/abc", "data/one.bin", "one.bin", blob(ONE)),
        PublishedFile("o/r/abc", "data/sub/two.bin", "sub/two.bin", blob(TWO)),
    )
    register_corpus("made-up", NamedCorpus("", "", "", files))
    monkeypatch.setattr(module, "TIMEOUT", (1, 1))


def test_all_files_arrive_and_stay(server: Server, tmp_path: Path) -> None:
    steps: list[tuple[str, int, int | None]] = []
    paths = fetch("made-up", tmp_path / "new", server.url + "/", lambda *step: steps.append(step))
    assert [path.read_bytes() for path in paths] == [ONE, TWO]
    assert paths == [tmp_path / "new" / "one.bin", tmp_path / "new" / "sub" / "two.bin"]
    assert steps[-1] == ("sub/two.bin", len(TWO), len(TWO))
    assert server.asked == [("one.bin", None), ("two.bin", None)]
    assert not list(tmp_path.rglob("*.part"))
    assert fetch("made-up", tmp_path / "new", server.url) == paths
    assert len(server.asked) == 2


def test_a_broken_connection_is_resumed(server: Server, tmp_path: Path) -> None:
    server.break_after = 20_000
    with pytest.raises(DownloadFailed) as caught:
        fetch("made-up", tmp_path, server.url)
    assert not (tmp_path / "one.bin").exists()
    kept = (tmp_path / "one.bin.part").stat().st_size
    assert 0 < kept <= 20_000
    for words in (f"{server.url}/o/r/abc/data/one.bin", "run the same command again", str(tmp_path / "one.bin")):
        assert words in str(caught.value)
    server.break_after = None
    fetch("made-up", tmp_path, server.url)
    assert (tmp_path / "one.bin").read_bytes() == ONE
    assert ("one.bin", f"bytes={kept}-") in server.asked


def test_a_server_without_ranges_starts_over(server: Server, tmp_path: Path) -> None:
    server.ranges = False
    (tmp_path / "one.bin.part").write_bytes(ONE[:10])
    fetch("made-up", tmp_path, server.url)
    assert (tmp_path / "one.bin").read_bytes() == ONE


def test_a_complete_download_under_its_temporary_name_needs_no_network(server: Server, tmp_path: Path) -> None:
    (tmp_path / "one.bin.part").write_bytes(ONE)
    fetch("made-up", tmp_path, server.url)
    assert server.asked == [("two.bin", None)]


def test_an_incomplete_file_that_is_too_long_is_dropped(server: Server, tmp_path: Path) -> None:
    (tmp_path / "one.bin.part").write_bytes(ONE + b"more")
    with pytest.raises(DownloadFailed, match="did not fit"):
        fetch("made-up", tmp_path, server.url)
    fetch("made-up", tmp_path, server.url)
    assert (tmp_path / "one.bin").read_bytes() == ONE


@pytest.mark.parametrize("part", [b"", b"another beginning"])
def test_a_wrong_file_is_removed(part: bytes, server: Server, tmp_path: Path) -> None:
    if part:
        (tmp_path / "one.bin.part").write_bytes(part)
    else:
        server.files["/o/r/abc/data/one.bin"] = b"wrong"
    with pytest.raises(HashMismatch, match=blob(ONE)):
        fetch("made-up", tmp_path, server.url)
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_file_in_place_is_replaced(server: Server, tmp_path: Path) -> None:
    (tmp_path / "one.bin").write_bytes(b"old")
    fetch("made-up", tmp_path, server.url)
    assert (tmp_path / "one.bin").read_bytes() == ONE


def test_not_found(server: Server, tmp_path: Path) -> None:
    server.files.clear()
    with pytest.raises(DownloadFailed, match="answered 404") as caught:
        fetch("made-up", tmp_path, server.url)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("url", ["", "no-scheme"])
def test_no_server(url: str, server: Server, tmp_path: Path) -> None:
    server.http.server_close()
    with pytest.raises(DownloadFailed, match="by hand") as caught:
        fetch("made-up", tmp_path, url or server.url)
    assert "\n" not in str(caught.value)


def test_a_full_disk(server: Server, tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("only Linux has a device that is always full")
    (tmp_path / "one.bin.part").symlink_to("/dev/full")
    with pytest.raises(DiskFull, match=r"one\.bin"):
        fetch("made-up", tmp_path, server.url)


def test_a_folder_that_cannot_be_made(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotWrite):
        fetch("made-up", tmp_path / "file" / "below", server.url)


@pytest.mark.parametrize("name", ["synthetic", "absent"])
def test_nothing_to_fetch(name: str, tmp_path: Path) -> None:
    with pytest.raises(UnknownCorpus, match="there are made-up, mosi, ravdess4, ravdess8, iemocap4, iemocap6"):
        fetch(name, tmp_path)
