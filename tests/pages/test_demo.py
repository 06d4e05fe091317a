"""The page on the bundle of the package as it is written, on a recording made on the spot."""

from tests.export.demo.signals import bursts
from tests.recordings import write_wav


def test_without_training(perform, tmp_path):
    write_wav(tmp_path / "CALL.wav", bursts((0.3, 1), total=2))
    printed = perform("demo.md")
    assert "CALL" in printed["demo CALL.wav"] and "00:00:00." in printed["demo CALL.wav"]
    assert printed["listen --source CALL.wav"].startswith("00:00:00.")
