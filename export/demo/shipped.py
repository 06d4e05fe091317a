"""The bundle that is part of the package."""

from pathlib import Path

BUNDLE = Path(__file__).with_name("bundle")
