"""The page in a browser: visible numbers, width on a phone, no request to any server."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess

import pytest

from replicate.report import page, sections

from .builders import NASTY, claim, drawn, manifest, outputs, result, table

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(
    BROWSER is None, reason="none of chromium, chromium-browser and google-chrome is installed"
)

PHONE = (360, 800)
QUIET = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
         "--disable-background-networking", "--disable-component-update", "--hide-scrollbars")  # fmt: skip

# No server uses port 9 of this machine: this request fails, and its entry shows that requests are recorded.
ABSENT = "http://127.0.0.1:9/absent.png"
# Runs at the end of a copy of the page, inside a frame; the page itself has no script, and forbids any.
PROBE = (
    f'<img alt="" src="{ABSENT}">'
    + """
<script>
addEventListener("load", () => {
  const root = document.documentElement, boxes = [...document.querySelectorAll(".scroll")]
  const figure = document.querySelector("figure img")
  const found = {client: root.clientWidth, width: root.scrollWidth, image: [figure.naturalWidth, figure.naturalHeight]}
  found.loaded = performance.getEntriesByType("resource").map(entry => entry.name)
  found.scrolled = boxes.filter(box => box.scrollWidth > box.clientWidth).length
  boxes.forEach(box => box.style.overflow = "visible")
  found.spilt = root.scrollWidth
  parent.document.body.textContent = JSON.stringify(found)
})
</script>
"""
)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    results = [
        result(table(rows=("COGMEN-A", NASTY)), corpus="c" * 100),
        result(table("table3", rows=("same: student [4, 7]", "fewer context layers: student [2, 7]"))),
    ]
    judged = [claim(1, "first", "reproduced", True), claim(2, "w" * 60, "contradicted", False)]
    fields = {"command": "replicate run " + "x" * 200, "versions": {"v" * 40: "1" * 80}}
    return page.write(outputs(folder, results, judged), [drawn(folder, caption="y" * 90)], manifest(results, **fields))


def browse(folder, address, *options, size=PHONE):
    """What a browser prints on a page."""
    profile = folder / "profile"
    command = [BROWSER, *QUIET, f"--user-data-dir={profile}", f"--window-size={size[0]},{size[1]}", *options, address]
    done = subprocess.run(command, capture_output=True, timeout=60)
    shutil.rmtree(profile, ignore_errors=True)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return done.stdout.decode("utf-8")


def probe(path, folder):
    """Return what the script finds in a copy of the page whose content security policy is removed."""
    unlocked, count = re.subn(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", path.read_text(encoding="utf-8"))
    assert count == 1
    copy = unlocked.replace("</body>", PROBE + "</body>")
    # A window is 500 pixels wide at least, a frame is not.
    around = folder / "around.html"
    width, height = PHONE
    around.write_text(f'<iframe width="{width}" height="{height}" srcdoc="{html.escape(copy)}">', encoding="utf-8")
    dom = browse(folder, around.as_uri(), "--dump-dom")
    return json.loads(re.search(r"<body>(.*)</body>", dom, re.DOTALL)[1])


def test_a_reader_finds_every_number(path, tmp_path):
    dom = browse(tmp_path, path.as_uri(), "--dump-dom")
    made = result(table(rows=("COGMEN-A", NASTY)))
    for line in sections.scores(made).lines:
        for cell in line[1:]:
            assert f">{cell}</td>" in dom
    assert "No replication of the published scores" in dom and "<script" not in dom
    assert "&lt;script&gt;alert(" in dom


def test_the_body_fits_a_phone_and_nothing_is_fetched(path, tmp_path):
    found = probe(path, tmp_path)
    assert found["client"] == found["width"] == PHONE[0]
    # Without their own containers the tables would overflow; so the line above can fail.
    assert found["scrolled"] >= 4 and found["spilt"] > PHONE[0]
    assert [name for name in found["loaded"] if not name.startswith("data:")] == [ABSENT]
    assert found["image"] == [900, 90]


@pytest.mark.parametrize(("options", "dark"), [((), False), (("--blink-settings=preferredColorScheme=0",), True)])
def test_a_screenshot_on_a_phone(path, tmp_path, options, dark):
    image = pytest.importorskip("PIL.Image", reason="Pillow (it comes with matplotlib) reads the screenshot")
    target = tmp_path / "shot.png"
    browse(tmp_path, path.as_uri(), f"--screenshot={target}", *options)
    with image.open(target) as shot:
        grey = shot.convert("L")
    assert grey.size == PHONE
    shades = grey.histogram()
    # The corner has the background colour, and many pixels have the opposite lightness.
    assert (grey.getpixel((2, 2)) < 64) == dark
    assert sum(shades[128:] if dark else shades[:128]) > 0.01 * sum(shades)
    assert max(shades) < 0.97 * sum(shades)
