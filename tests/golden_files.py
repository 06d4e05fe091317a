"""Long expected outputs in files of their own: the fixture ``golden`` and the switch ``pytest --update-golden``."""

from __future__ import annotations

from collections.abc import Callable

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--update-golden``."""
    parser.addoption("--update-golden", action="store_true", help="write what tests compute into their golden files")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare a text with a golden file: ``golden(text, "table.md")``.

    The file is ``golden/table.md`` in the folder of the test's module. ``pytest --update-golden TEST`` writes it; look
    at ``git diff`` before committing. Replace paths, times and versions in the text beforehand.
    """

    def compare(text: str, name: str) -> None:
        path = request.path.parent / "golden" / name
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert path.is_file(), f"no golden file {path}: make it with pytest --update-golden"
        assert text == path.read_text(encoding="utf-8"), f"not as in {path}; if that is right: pytest --update-golden"

    return compare
