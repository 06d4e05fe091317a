"""The page in Chromium: the same answers as Python from files and from a microphone, no network, no foreign HTML."""

from __future__ import annotations

import csv
import functools
import http.server
import threading
import time

import numpy as np
import pytest
import soundfile
import soxr

from export.demo import page_folder, sources
from export.demo.live import follow
from export.demo.shipped import BUNDLE
from export.demo.wave_stream import WaveModel
from tests.hostile import FILE, NAME, problems
from tests.recordings import write_wav

from . import wave_bundle
from .browser import choose, fetched, opened, saved, saved_text, wait
from .signals import bursts

pytest.importorskip("playwright", reason="playwright, which drives the browser, is not installed")

pytestmark = pytest.mark.slow

NO_MICROPHONE = """() => {
    navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("", "NotFoundError"))
}"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A bundle and its page."""
    folder = tmp_path_factory.mktemp("page")
    bundle = wave_bundle.write(folder / "bundle")
    return bundle, page_folder.write(bundle, fetched(), folder / "site")


def expected(bundle, path):
    """What Python predicts of a recording."""
    model = WaveModel(bundle)
    return [one.output(path.name, model.labels) for one in follow(model, sources.recording(path, True), model.speakers)]


def agree(found, wanted, tolerance=1e-4):
    assert [(one["speaker"], one["start"], one["end"], one["label"]) for one in found] == [
        (one["speaker"], one["start"], one["end"], one["label"]) for one in wanted
    ]
    for one, other in zip(found, wanted, strict=True):
        assert one["probabilities"] == pytest.approx(other["probabilities"], abs=tolerance)


def test_a_file_gives_what_python_gives_where_the_page_is_opened_as_a_file(place, tmp_path):
    bundle, index = place
    mono = write_wav(tmp_path / "mono.wav", bursts((0.5, 1.5), (2.5, 3.4), (4, 20), total=21))
    stereo = np.column_stack([bursts((0.5, 1.5), (4, 5), total=6), bursts((2, 3), total=6, seed=1)])
    two = write_wav(tmp_path / "two.wav", stereo)
    with opened(index.as_uri()) as page:
        began = time.monotonic()
        agree(choose(page, mono), expected(bundle, mono))
        assert time.monotonic() - began < 21, "slower than real time"
        assert page.evaluate("document.querySelector('#file').files[0].name") == "mono.wav"
        scroll = page.evaluate("(({scrollLeft, scrollWidth, clientWidth}) => [scrollLeft, scrollWidth - clientWidth])"
                               "(document.querySelector('#scroll'))")  # fmt: skip
        assert scroll == [0, 0] and page.locator(".mark").first.inner_text() == "00:00"
        found = choose(page, two)
        assert [one["speaker"] for one in found] == ["M", "Zoë", "M"]
        agree(found, expected(bundle, two))
        rows = list(csv.DictReader(saved_text(page, "#csv").splitlines()))
        assert [row["label"] for row in rows] == [one["label"] for one in found]
        assert page.locator(".lane").count() == 2 and page.locator(".bar").count() == 3


@pytest.mark.parametrize("rate", [8_000, 44_100, 192_000])
def test_recordings_at_other_rates_give_what_python_gives(place, tmp_path, rate):
    bundle, index = place
    signal = soxr.resample(bursts((0.5, 1.5), (2.5, 3.4), total=4), 16_000, rate)
    path = write_wav(tmp_path / "other.wav", signal, rate=rate)
    with opened(index.as_uri()) as page:
        agree(choose(page, path), expected(bundle, path), 1e-3)


def test_a_served_page_follows_the_microphone(place, tmp_path):
    _, index = place
    signal = bursts((1, 2), (4.5, 5.5), total=7)
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=index.parent)
    handler.log_message = lambda *_: None
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/index.html"
        with opened(address, write_wav(tmp_path / "speech.wav", signal, rate=16_000)) as page:
            page.click("#microphone")
            wait(page, "The microphone is on")
            page.locator(".bar").nth(0).wait_for()
            page.get_by_label("Zoë").check()  # who speaks from now on
            page.locator(".bar").nth(1).wait_for()
            page.click("#microphone")
            assert wait(page, "utterances.") == "2 utterances."
            found = saved(page)
        server.shutdown()
    lengths = [one["end"] - one["start"] for one in found]
    assert lengths == pytest.approx([1.2, 1.2], abs=0.1)
    assert found[1]["start"] - found[0]["start"] == pytest.approx(3.5, abs=0.1)
    assert [one["speaker"] for one in found] == ["M", "Zoë"]


def test_what_cannot_be_used_is_a_line_and_the_page_goes_on(place, tmp_path):
    bundle, index = place
    (tmp_path / "broken.wav").write_bytes(b"RIFF nothing")
    silent = write_wav(tmp_path / "silent.wav", np.zeros(16_000))
    mono = write_wav(tmp_path / "mono.wav", bursts((0.5, 1.5), total=2))
    with opened(index.as_uri()) as page:
        page.set_input_files("#file", tmp_path / "broken.wav")
        assert "broken.wav cannot be used: this browser cannot decode it" in wait(page, "cannot be used")
        page.set_input_files("#file", silent)
        wait(page, "silent.wav: no speech was found.")
        page.evaluate(NO_MICROPHONE)
        page.click("#microphone")
        wait(page, "The microphone cannot be used: there is none.")
        agree(choose(page, mono), expected(bundle, mono))


@pytest.mark.slow
def test_the_bundle_of_the_package_on_real_speech(shared_data, tmp_path):
    """The same probabilities as in Python, the first soon after loading, and a warning for a meeting."""
    index = page_folder.write(BUNDLE, fetched(), tmp_path / "site")
    began = time.monotonic()
    with opened(index.as_uri()) as page:
        meeting = shared_data / "conversations/dev00.wav"
        found = choose(page, meeting)
        seconds = time.monotonic() - began
        agree(found, expected(BUNDLE, meeting))
        assert len(found) >= 4 and "unlike what the model was trained on" in page.locator("#far").inner_text()
        clip = shared_data / "ravdess/recordings/03-01-05-01-01-01-23.flac"
        agree(choose(page, clip), expected(BUNDLE, clip))
        assert page.locator("#far").inner_text() == ""
        samples, own = soundfile.read(clip)
        for rate, kind, tolerance in (
            (8_000, "wav", 2e-3), (8_000, "flac", 2e-3), (16_000, "mp3", 2e-3),
            (44_100, "ogg", 5e-4), (48_000, "wav", 5e-4), (192_000, "wav", 5e-4),
        ):  # fmt: skip
            other = tmp_path / f"{rate}.{kind}"
            soundfile.write(other, soxr.resample(samples, own, rate), rate)
            agree(choose(page, other), expected(BUNDLE, other), tolerance)
        assert seconds < 10  # with the start of the browser, on a busy machine


@pytest.mark.parametrize(("scheme", "dark"), [("light", False), ("dark", True)])
def test_names_are_text_and_the_body_fits_a_phone(place, tmp_path, scheme, dark):
    bundle = wave_bundle.write(tmp_path / "b", labels=[NAME, f"{NAME} 2"], speakers=[f"{NAME} 3", f"{NAME} 4"])
    index = page_folder.write(bundle, fetched(), tmp_path / "site")
    path = write_wav(tmp_path / f"{FILE[:60]}.wav", bursts((0.5, 1.5), total=2))
    viewport = {"width": 360, "height": 800}
    with opened(index.as_uri(), color_scheme=scheme, viewport=viewport) as page:
        choose(page, path)
        assert problems(saved_text(page, "#csv"), "csv") == []
        assert page.evaluate("document.querySelectorAll('#results script, #results img, #results a').length") == 0
        assert NAME in page.locator("#rows").inner_text()
        assert page.evaluate("document.documentElement.scrollWidth") == viewport["width"]
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, colour[4:-1].split(","))) < 200) == dark
