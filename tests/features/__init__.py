"""Tests of features, skipped if the optional packages are not installed."""

import pytest

for package in ("opensmile", "soundfile", "soxr", "transformers"):
    pytest.importorskip(package, reason="needs the extra [audio]")
