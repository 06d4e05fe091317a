"""Download published feature files, verify them by git blob id, and resume interrupted downloads.

Pooch supports neither git blob ids nor resuming, so this uses ``requests`` directly.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import requests

from replicate.corpus.catalogue import PublishedFile, git_blob_id
from replicate.corpus.loading import named_corpora
from replicate.errors import DownloadFailed, HashMismatch, UnknownCorpus
from replicate.files import from_os_error
from replicate.suggest import choices

BASE_URL = "https://raw.githubusercontent.com"
TIMEOUT = (10, 60)  # seconds to connect, and between two blocks
_BLOCK = 1 << 14  # urllib3 drops a truncated block, so this is what a broken connection loses

# (file, bytes so far, bytes in total or None if the server does not say)
Progress = Callable[[str, int, int | None], None]


def fetch(
    name: str, folder: Path, base_url: str = BASE_URL, progress: Progress = lambda file, done, total: None
) -> list[Path]:
    """Download the published files of corpus ``name`` into ``folder``; files that are there and correct are kept.

    Raises:
        UnknownCorpus: no corpus of that name has files to download.
        DownloadFailed: the network failed; what arrived is kept as ``.part`` and the next call resumes there.
        HashMismatch: what arrived is not the published file; it was removed.
        DiskFull, CannotWrite: ``folder`` cannot be written.
    """
    corpora = {name: corpus for name, corpus in named_corpora().items() if corpus.files}
    if name not in corpora:
        raise UnknownCorpus(f"nothing to fetch for corpus {name!r}: {choices(name, list(corpora))}")
    return [_fetch_one(file, folder, base_url.rstrip("/"), progress) for file in corpora[name].files]


def _fetch_one(file: PublishedFile, folder: Path, base_url: str, progress: Progress) -> Path:
    target = folder / file.local
    if target.is_file() and git_blob_id(target) == file.blob:
        progress(file.local, target.stat().st_size, target.stat().st_size)
        return target
    part = target.with_name(f"{target.name}.part")
    url = f"{base_url}/{file.repository}/{file.path}"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        # An earlier call may have been interrupted between the last byte and the renaming.
        if not (part.is_file() and git_blob_id(part) == file.blob):
            try:
                _download(url, part, lambda done, total: progress(file.local, done, total))
            except requests.RequestException as error:  # an OSError too, hence converted first
                raise DownloadFailed(
                    f"cannot download {url} ({_reason(error)}): run the same command again to resume, "
                    f"or download it by hand to {target}"
                ) from error
            found = git_blob_id(part)
            if found != file.blob:
                part.unlink()
                raise HashMismatch(
                    f"{url} is not the published file: git blob id {found} instead of {file.blob}; it was "
                    "removed, run the same command again"
                )
        part.replace(target)
    except OSError as error:
        raise from_os_error(error, target) from error
    return target


def _download(url: str, part: Path, progress: Callable[[int, int | None], None]) -> None:
    """Append to ``part`` the bytes of ``url`` that it lacks."""
    start = part.stat().st_size if part.is_file() else 0
    # Compressed transfers cannot be resumed byte by byte.
    headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={start}-"} if start else {})}
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
        if response.status_code == 416:  # the part is longer than the file, so it is of another file
            part.unlink()
            raise requests.ConnectionError("the incomplete file of an earlier download did not fit and was removed")
        response.raise_for_status()
        resumed = response.status_code == 206 and response.headers.get("Content-Range", "").startswith(
            f"bytes {start}-"
        )
        done = start if resumed else 0
        length = response.headers.get("Content-Length", "")
        total = done + int(length) if length.isdecimal() else None
        with part.open("ab" if resumed else "wb") as file:
            for block in response.iter_content(_BLOCK):
                file.write(block)
                done += len(block)
                progress(done, total)
    if total is not None and done != total:
        raise requests.ConnectionError(f"the connection ended after {done:,} of {total:,} bytes")


def _reason(error: requests.RequestException) -> str:
    if error.response is not None:
        return f"the server answered {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    # requests wraps exceptions of other libraries; only its own messages fit on a line
    own = bool(error.args) and isinstance(error.args[0], str)
    return str(error).splitlines()[0] if own else "the connection failed"
