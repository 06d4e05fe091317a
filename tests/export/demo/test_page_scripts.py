"""Functions of the page's scripts, in node: resampling against soxr, channels, and the texts of downloads."""

from __future__ import annotations

import json
import shutil
import subprocess

import numpy as np
import pytest
import soundfile
import soxr

from export.demo.page_folder import ASSETS
from export.demo.shipped import BUNDLE
from export.demo.sources import correlation
from export.demo.wave_stream import WaveModel
from export.distance import TrainingRange
from export.output import to_csv, to_json, utterance
from tests.hostile import NAME, TEXT, problems

from .signals import bursts

NODE = shutil.which("node")
pytestmark = pytest.mark.skipif(NODE is None, reason="node is not installed")


def run(script: str, program: str, **given: object) -> str:
    """What a program prints that uses a script of the page and ``given``."""
    names = "".join(f"const {name} = {json.dumps(value)};\n" for name, value in given.items())
    code = f"require({json.dumps(str(ASSETS / script))});\n{names}{program}"
    done = subprocess.run([NODE, "-"], input=code.encode(), capture_output=True, check=True, timeout=60)
    return done.stdout.decode("utf-8")


def resampled(tmp_path, signal, rate):
    """What the page's script makes of a signal, whole as a file and piece by piece as a microphone."""
    signal.astype(np.float32).tofile(tmp_path / "in")
    program = """
        const fs = require("fs"), bytes = fs.readFileSync(folder + "/in");
        const signal = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
        const resampler = new demo.resample.Resampler(rate), found = [];
        for (let at = 0; at < signal.length; at += 1000) found.push(...resampler.push(signal.slice(at, at + 1000)));
        found.push(...resampler.flush());
        fs.writeFileSync(folder + "/pieces", Float32Array.from(found));
        demo.resample.whole(signal, rate).then((all) => fs.writeFileSync(folder + "/whole", all));
    """
    run("resample.js", program, folder=str(tmp_path), rate=rate)
    return [np.fromfile(tmp_path / name, np.float32) for name in ("whole", "pieces")]


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 44_100, 48_000, 192_000])
def test_sound_is_resampled_as_by_soxr(tmp_path, rate):
    """Noise at every frequency: below 90 % of the lower Nyquist frequency the difference is under -60 dB."""
    signal = 0.1 * np.random.default_rng(0).standard_normal(rate // 2 + 3).astype(np.float32)
    whole, pieces = resampled(tmp_path, signal, rate)
    wanted = soxr.resample(signal, rate, 16_000)
    assert len(whole) == len(wanted) and abs(len(pieces) - len(wanted)) <= 1
    size = min(len(pieces), len(whole))
    np.testing.assert_array_equal(pieces[:size], whole[:size])
    window = np.hanning(7_600)
    other, power = (np.abs(np.fft.rfft(one[200:7_800] * window)) ** 2 for one in (whole - wanted, wanted))
    kept = np.fft.rfftfreq(7_600, 1 / 16_000) < 0.9 * min(rate, 16_000) / 2
    assert other[kept].sum() < 1e-6 * power[kept].sum()
    assert other.sum() < 1e-5 * power.sum()  # in the 10 % above, where both fall


@pytest.mark.parametrize(("rate", "tone"), [(48_000, 8_010), (44_100, 11_000), (192_000, 30_000)])
def test_nothing_above_8_khz_is_left(tmp_path, rate, tone):
    signal = np.sin(2 * np.pi * tone * np.arange(rate // 2) / rate)
    whole, _ = resampled(tmp_path, signal, rate)
    assert np.abs(whole[200:-200]).max() < 2e-6


@pytest.mark.parametrize(("kind", "subtype", "rates"), [
    ("WAV", "PCM_16", (8_000, 44_100, 192_000)), ("WAVEX", "PCM_24", (48_000,)), ("RF64", "FLOAT", (22_050,)),
    ("FLAC", "PCM_16", (8_000, 44_100, 192_000)), ("OGG", "VORBIS", (8_000, 44_100)),
    ("MP3", "MPEG_LAYER_III", (8_000, 16_000, 22_050, 44_100, 48_000)),
])  # fmt: skip
def test_the_rate_is_that_of_the_header(tmp_path, kind, subtype, rates):
    for rate in rates:
        path = tmp_path / f"{rate}"
        soundfile.write(path, np.zeros(2 * rate), rate, format=kind, subtype=subtype)
        assert declared(path.read_bytes()) == rate


def test_what_declares_no_rate_has_none(tmp_path):
    wav = tmp_path / "a.wav"
    soundfile.write(wav, np.zeros(100), 8_000)
    begin = wav.read_bytes()
    huge = begin[:12] + b"JUNK\xff\xff\xff\xff"
    for content in (b"", b"R", b"RIFF", b"\0" * 100, begin[:20], huge, b"OggS", b"fLaC", b"ID3", b"\xff", b"\xff\xfb",
                    b"OggS" + b"\xff" * 40):  # fmt: skip
        assert declared(content) is None, content


@pytest.mark.parametrize(("kind", "subtype"), [
    ("WAV", "PCM_16"), ("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III"),
])  # fmt: skip
def test_headers_that_are_cut_or_damaged_are_no_error(tmp_path, kind, subtype):
    soundfile.write(tmp_path / "a", np.zeros(2000), 8_000, format=kind, subtype=subtype)
    head = (tmp_path / "a").read_bytes()[:80]
    draws = np.random.default_rng(0)
    damaged = [bytearray(head) for _ in range(500)]
    for one in damaged:
        one[draws.integers(4, len(one))] = draws.integers(256)
        one[draws.integers(4, len(one))] = 255
    program = """
        const rates = contents.map((content) => demo.rate.of(Uint8Array.from(content).buffer));
        console.log(rates.every((rate) => rate === undefined || (rate > 0 && rate < 2 ** 32)));
    """
    contents = [list(head[:size]) for size in range(len(head))] + [list(one) for one in damaged]
    assert run("rate.js", program, contents=contents) == "true\n"


def declared(content):
    program = """
        const bytes = Uint8Array.from(content);
        console.log(JSON.stringify(demo.rate.of(bytes.buffer) ?? null));
    """
    return json.loads(run("rate.js", program, content=list(content[:100_000])))


def test_rates_that_need_much_memory_are_refused():
    program = "console.log(JSON.stringify([8000, 44100, 44101, 384000, 767999].map(demo.resample.possible)));"
    assert json.loads(run("resample.js", program)) == [True, True, True, True, False]


@pytest.mark.parametrize("count", [1, 3, 4, 9])
def test_distances_are_those_of_python(count):
    about = WaveModel(BUNDLE).metadata["range"]
    rng = np.random.default_rng(count)
    centre, scale = np.array(about["centre"]), np.array(about["scale"])
    for spread in (0.5, 6):
        features = centre + spread * scale * rng.standard_normal((count, len(centre)))
        program = "console.log(JSON.stringify(demo.distance.distance(range, features)));"
        found = json.loads(run("distance.js", program, range=about, features=features.tolist()))
        wanted = TrainingRange(about).distance(features)
        assert (found["far"], found["beyond"], found["features"]) == (wanted.far, wanted.beyond, wanted.features)
        assert found["deviations"] == pytest.approx(wanted.deviations, rel=1e-9)


def test_channels_are_speakers_where_they_differ():
    one, other = bursts((0, 1), total=1)[:4000], bursts((0, 1), total=1, seed=1)[:4000]
    program = """
        const floats = channels.map((channel) => Float32Array.from(channel));
        console.log(JSON.stringify(demo.sound.speakers(floats).map((channel) => [...channel])));
    """
    for channels, speakers in (([one], 1), ([one, other], 2), ([one, -0.5 * one], 1), ([one, other, other], 1)):
        given = [channel.tolist() for channel in channels]
        found = json.loads(run("sound.js", program, channels=given))
        assert len(found) == speakers
        if len(channels) == 2:  # the same rule in Python
            assert (abs(correlation(*channels)) < 0.5) == (speakers == 2)
        if speakers == 1:
            np.testing.assert_allclose(found[0], np.mean(channels, 0), atol=1e-6)


def test_downloads_are_what_python_writes():
    labels = ["calm", '=1+1 "x", y', "漢"]
    rows = [("a", 0.5, 1.25, [0.25, 0.5, 0.25]), ("-b", 61.0, 62.5, [0.125, 0.125, 0.75])]
    wanted = [
        utterance("the call", i, who, labels, values, (start, end))
        for i, (who, start, end, values) in enumerate(rows, 1)
    ]
    given = [{"speaker": r[0], "start": r[1], "end": r[2], "probabilities": r[3]} for r in rows]
    program = 'process.stdout.write(demo.timeline.{}("the call", labels, utterances))'
    found = [run("timeline.js", program.format(kind), labels=labels, utterances=given) for kind in ("csv", "json")]
    assert found[0] == to_csv(wanted) and json.loads(found[1]) == json.loads(to_json(wanted))


def test_hostile_names_are_harmless_in_csv():
    given = [{"speaker": TEXT, "start": 0, "end": 1, "probabilities": [0.5, 0.5]}]
    program = "process.stdout.write(demo.timeline.csv(labels[0], labels, utterances))"
    assert problems(run("timeline.js", program, labels=[TEXT, NAME], utterances=given), "csv") == []


def test_times_and_marks():
    program = "console.log(JSON.stringify([0, 59.999, 3725.4].map(demo.timeline.clock)));"
    assert json.loads(run("timeline.js", program)) == ["00:00.00", "01:00.00", "62:05.40"]
    program = "console.log(JSON.stringify([80, 16, 1, 0.01].map((pixels) => demo.timeline.step(pixels))));"
    assert json.loads(run("timeline.js", program)) == [1, 5, 120, 1200]
