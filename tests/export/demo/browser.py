"""Chromium for tests of the page: the one of the system, driven by playwright, without any network."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from export.demo.runtime import Runtime, runtime
from replicate.errors import DownloadFailed

if TYPE_CHECKING:
    from playwright.sync_api import Page

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
_FLAGS = ("--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
          "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")  # fmt: skip
# Milliseconds that anything may take on a busy machine.
PATIENCE = 60_000


def fetched() -> Runtime:
    """Return onnxruntime-web, or skip the test where there is no npm or no network."""
    if CHROMIUM is None:
        pytest.skip("none of chromium, chromium-browser and google-chrome is installed")
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed, which fetches onnxruntime-web")
    try:
        return runtime(None)
    except DownloadFailed as error:
        pytest.skip(str(error))


@contextmanager
def opened(address: str, microphone: Path | None = None, **options: Any) -> Iterator[Page]:
    """Yield a page once its model is open; it may fetch nothing but its own files, and raise no error.

    Args:
        microphone: a recording that the browser plays in place of its microphone, once.
        options: of the browser's context, such as color_scheme.
    """
    from playwright.sync_api import sync_playwright

    flags = [f"--use-file-for-fake-audio-capture={microphone}%noloop"] if microphone else []
    wrong: list[str] = []
    root = address.rsplit("/", 1)[0]

    def look(url: str) -> None:
        if not url.startswith((root, "blob:", "data:")):
            wrong.append(url)

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=[*_FLAGS, *flags])
        try:
            page = browser.new_page(**options)
            page.set_default_timeout(PATIENCE)
            page.on("request", lambda request: look(request.url))
            page.on("pageerror", lambda error: wrong.append(str(error)))
            page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
            page.goto(address)
            wait(page, "Ready")
            yield page
        finally:
            browser.close()
    assert wrong == []


def wait(page: Page, text: str) -> str:
    """Wait until the status contains a text, and return it all."""
    page.locator("#status", has_text=text).wait_for()
    return page.locator("#status").inner_text()


def choose(page: Page, path: Path) -> list[dict[str, Any]]:
    """Let the page predict a recording, and return its utterances as the page saves them."""
    page.set_input_files("#file", path)
    wait(page, "utterance")
    return saved(page)


def saved(page: Page, button: str = "#json") -> list[dict[str, Any]]:
    """Return what the page downloads as JSON."""
    return json.loads(saved_text(page, button))


def saved_text(page: Page, button: str) -> str:
    """Return what a button downloads."""
    with page.expect_download() as download:
        page.click(button)
    return Path(download.value.path()).read_text(encoding="utf-8")
