"""Every file of a portable bundle in onnxruntime-web, in Chromium, against onnxruntime."""

from __future__ import annotations

import base64
import math

import numpy as np
import onnxruntime
import pytest

from export.bundle_files import MODEL, STREAM, WAV, WAV_STREAM
from export.demo import page_folder
from export.demo.shipped import BUNDLE

from .browser import fetched, opened
from .signals import bursts

pytest.importorskip("playwright", reason="playwright, which drives the browser, is not installed")

pytestmark = pytest.mark.slow

RUN = """async ([model, given]) => {
    const bytes = Uint8Array.from(atob(model), (letter) => letter.charCodeAt(0));
    const session = await ort.InferenceSession.create(bytes);
    const inputs = {};
    for (const [name, { kind, values, shape }] of Object.entries(given)) {
        const data = kind === "int64" ? BigInt64Array.from(values.map(BigInt)) : Float32Array.from(values);
        inputs[name] = new ort.Tensor(kind, data, shape);
    }
    const found = await session.run(inputs);
    return Object.fromEntries(Object.entries(found).map(([name, { data }]) => [name, [...data].map(Number)]));
}"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    index = page_folder.write(BUNDLE, fetched(), tmp_path_factory.mktemp("page") / "site")
    with opened(index.as_uri()) as found:
        found.wait_for_function("document.querySelector('#file').disabled === false")
        yield found


def given(name, session):
    """Inputs of a file: three utterances, or the next one of a stream."""
    draws = np.random.default_rng(0)
    count = 1 if name in (STREAM, WAV_STREAM) else 3
    wave = np.stack([bursts((0.1, 0.6 + 0.1 * i), total=1, seed=i) for i in range(count)]).astype(np.float32)
    speaker = draws.integers(2, size=count)
    if name in (WAV, WAV_STREAM):
        found = {"waveform": wave, "samples": draws.integers(4_000, wave.shape[1], size=count), "speaker": speaker}
    else:
        audio = draws.standard_normal((count, 163), np.float32)
        found = {"audio": audio, "speaker": speaker}
        if name == MODEL:
            found = {"audio": audio[None], "speaker": speaker[None], "length": np.array([count])}
    if name in (STREAM, WAV_STREAM):
        found["state"] = np.zeros(next(one.shape for one in session.get_inputs() if one.name == "state"), np.float32)
    return found


@pytest.mark.parametrize("name", [MODEL, STREAM, WAV, WAV_STREAM])
def test_the_browser_computes_what_onnxruntime_computes(page, name):
    session = onnxruntime.InferenceSession(BUNDLE / name, providers=["CPUExecutionProvider"])
    inputs = given(name, session)
    texts = {
        key: {"kind": str(value.dtype), "values": value.ravel().tolist(), "shape": list(value.shape)}
        for key, value in inputs.items()
    }
    content = base64.b64encode((BUNDLE / name).read_bytes()).decode()
    found = page.evaluate(RUN, [content, texts])
    for output, expected in zip(session.get_outputs(), session.run(None, inputs), strict=True):
        assert len(found[output.name]) == math.prod(expected.shape)
        assert np.allclose(found[output.name], expected.ravel(), rtol=0, atol=1e-4), output.name
