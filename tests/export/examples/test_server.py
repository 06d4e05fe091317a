"""The Python server gives what Predictor gives, refuses what is wrong, and goes on."""

import http.client
import json
import socket
import threading

import numpy as np
import pytest

from export import Predictor
from export.examples.python.server import LARGEST, Server
from tests.export.examples.conftest import BAD_WAV, EXAMPLES
from tests.recordings import tone, write_wav


@pytest.fixture(scope="module")
def server(dialogue):
    with Server(str(dialogue.bundle), 0) as found:
        threading.Thread(target=found.serve_forever, daemon=True).start()
        yield found
        found.shutdown()


@pytest.fixture
def post(server):
    def send(body: bytes, path: str = "/", **headers: str) -> tuple[int, object]:
        connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=20)
        try:
            connection.request("POST", path, body, headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    return send


def request(dialogue) -> bytes:
    return json.dumps({"speakers": dialogue.speakers, "features": dialogue.features.tolist()}).encode()


def test_features_of_a_dialogue(dialogue, post):
    status, found = post(request(dialogue))
    assert status == 200 and [one["speaker"] for one in found] == dialogue.speakers
    probabilities = [list(one["probabilities"].values()) for one in found]
    np.testing.assert_allclose(probabilities, dialogue.expected, rtol=0, atol=1e-4)


def test_a_wav_file(dialogue, post):
    status, found = post(dialogue.files[1].read_bytes(), "/?speaker=F")
    expected = Predictor(dialogue.bundle)(dialogue.features[1:2], ["F"]).probabilities[0]
    assert status == 200
    np.testing.assert_allclose(list(found[0]["probabilities"].values()), expected, rtol=0, atol=1e-4)


def test_a_wrong_request_gets_a_reason_and_the_next_one_an_answer(dialogue, post, server, tmp_path):
    whole = dialogue.files[0].read_bytes()
    bad = [(body, "/?speaker=F") for body in BAD_WAV.values()]
    bad += [(whole, "/"), (whole, "/?speaker=Nobody"), (whole[:20], "/?speaker=F"), (b"[" * 100_000, "/")]
    bad += [(json.dumps(one).encode(), "/") for one in ({}, [], {"features": [[1]], "speakers": ["F"]})]
    bad += [(json.dumps({"features": [[float("nan")] * 5], "speakers": ["F"]}).encode(), "/")]
    other = write_wav(tmp_path / "8.wav", tone(0.2, 8_000), 8_000, "PCM_16").read_bytes()
    for body, path in [*bad, (other, "/?speaker=F")]:
        status, found = post(body, path)
        assert status == 400 and 0 < len(found["error"]) <= 300, body[:30]
    assert post(b"x", **{"Content-Length": str(LARGEST + 1)})[0] == 413
    with socket.create_connection(("127.0.0.1", server.server_port), 20) as raw:
        raw.sendall(b"POST / HTTP/1.0\r\nContent-Length: -1\r\n\r\n")
        assert b" 413 " in raw.recv(100)
    assert post(request(dialogue))[0] == 200


def test_the_server_is_short_and_on_this_machine_alone(server):
    lines = (EXAMPLES / "python" / "server.py").read_text().splitlines()
    assert sum(bool(line.strip()) and not line.strip().startswith(('"""', "import", "from")) for line in lines) <= 45
    assert server.server_address[0] == "127.0.0.1"
