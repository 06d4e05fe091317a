"""Serve a bundle: POST a dialogue as JSON to /, or an utterance as a WAV file to /?speaker=NAME; the answer is JSON."""

import io
import json
import sys
import wave
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np

from export import Predictor
from export.bundle_files import WAV
from export.model_file import Model
from export.output import UtterancePrediction, to_json, utterance

LARGEST = 1 << 22  # bytes of a request: 2 minutes of speech


class Server(ThreadingHTTPServer):
    """A server of one bundle, on this machine alone; only for bundles that you trust."""

    def __init__(self, bundle: str, port: int = 8000) -> None:
        self.predictor = Predictor(bundle, limited=False)
        path = Path(bundle, WAV)
        self.waves = Model(path, limited=False, wave=True) if path.is_file() else None
        super().__init__(("127.0.0.1", port), Handler)

    def from_json(self, body: bytes) -> list[UtterancePrediction]:
        """Predict ``{"speakers": [NAME, ...], "features": [[NUMBER, ...], ...]}``, an entry for each utterance."""
        given = json.loads(body)
        return self.predictor(np.array(given["features"], np.float32), given["speakers"]).utterances()

    def from_wave(self, body: bytes, speaker: str) -> list[UtterancePrediction]:
        """Predict an utterance of 16-bit samples, one channel, 16 kHz."""
        if self.waves is None:
            raise ValueError(f"the bundle has no {WAV}: send features")
        with wave.open(io.BytesIO(body)) as file:
            if file.getparams()[:3] != (1, 2, 16_000):
                raise ValueError("send 16-bit samples, one channel, 16 kHz: ffmpeg -i IN -ac 1 -ar 16000 OUT.wav")
            samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / 32768
        if speaker not in self.predictor.speakers:
            raise ValueError(f"add ?speaker=NAME to the address, one of {', '.join(self.predictor.speakers)}")
        number = np.array([self.predictor.speakers.index(speaker)])
        found, _ = self.waves.run({"waveform": samples[None], "samples": np.array([samples.size]), "speaker": number})
        return [utterance("dialogue", 1, speaker, self.predictor.labels, found[0])]


class Handler(BaseHTTPRequestHandler):
    """Answers 200 with predictions, 400 with what is wrong with a request, or 413 for one that is too large."""

    server: Server
    timeout = 10  # seconds that a client may be silent

    def do_POST(self) -> None:
        """Predict the body of the request."""
        length = self.headers.get("Content-Length", "")
        try:
            if not (length.isdecimal() and int(length) <= LARGEST):
                return self.answer(413, json.dumps({"error": f"send Content-Length, at most {LARGEST} bytes"}))
            body = self.rfile.read(int(length))
            speaker = parse_qs(urlsplit(self.path).query).get("speaker", [""])[0]
            wav = body.startswith(b"RIFF")
            self.answer(200, to_json(self.server.from_wave(body, speaker) if wav else self.server.from_json(body)))
        except Exception as error:  # a request may be wrong in any way, and the next one is answered all the same
            self.answer(400, json.dumps({"error": f"{type(error).__name__}: {error}"[:300]}))

    def answer(self, status: int, text: str) -> None:
        """Send a JSON text."""
        content = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


if __name__ == "__main__":
    Server(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 8000).serve_forever()
