"""Skipped as a whole where the extra is not installed."""

import pytest

for package in ("opensmile", "soundfile", "soxr", "transformers"):
    pytest.importorskip(package, reason="needs the extra [audio]")
