"""When an entry is complete, and what makes `make results` repeat it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from docs import resume
from docs.costs import Cost
from docs.entries import Command

ENTRY = Command("one", "", ("one.md",), ("python x {data}/in.csv {out}/one.md",), needs=("in.csv",))


@pytest.fixture
def complete(tmp_path: Path) -> Callable[[], str | None]:
    """Complete an entry; returns what tells why it is not complete any more."""
    (tmp_path / "in.csv").write_text("1")
    output = ENTRY.own(tmp_path) / "one.md"
    assert resume.why_not(ENTRY, tmp_path, tmp_path) == "not measured here"
    output.parent.mkdir(parents=True)
    output.write_text("text")
    resume.write(ENTRY, tmp_path, resume.Conditions.of(ENTRY, tmp_path), Cost(None, 2.5))
    return lambda: resume.why_not(ENTRY, tmp_path, tmp_path)


def test_a_complete_entry_is_not_repeated(complete, tmp_path):
    assert complete() is None and resume.cost(ENTRY, tmp_path) == Cost(None, 2.5)


def test_folders_may_be_called_otherwise(complete, tmp_path):
    moved = tmp_path.rename(tmp_path.with_name("moved"))
    assert resume.why_not(ENTRY, moved, moved) is None


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("in.csv", "23", "other inputs than in the last measurement"),
        ("commands/one/one.md", "edited", "its outputs were changed"),
        ("commands/one/one.md", None, "its outputs are gone"),
        ("complete/one.json", "{", "its mark cannot be read"),
        ("complete/one.json", "{}", "its mark cannot be read"),
        ("complete/one.json", None, "not measured here"),
    ],
)
def test_other_files_repeat_it(complete, tmp_path, name, text, expected):
    (tmp_path / name).unlink()
    if text is not None:
        (tmp_path / name).write_text(text)
    assert complete() == expected


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("code", lambda modules: "other", "other code than in the last measurement"),
        ("processor", lambda: "other", "other processor than in the last measurement"),
        ("installed_versions", lambda: {"torch": "0"}, "other versions than in the last measurement"),
    ],
)
def test_other_conditions_repeat_it(complete, monkeypatch, name, value, expected):
    monkeypatch.setattr(resume, name, value)
    assert complete() == expected


def test_another_command_repeats_it(complete, tmp_path):
    other = Command("one", "", ("one.md",), ("python y {data}/in.csv {out}/one.md",), needs=("in.csv",))
    assert resume.why_not(other, tmp_path, tmp_path) == "other commands than in the last measurement"


def test_the_code_is_that_of_the_packages_and_of_the_module_that_is_run(tmp_path, monkeypatch):
    for name in ("replicate/a.py", "export/b.py", "tables/c.toml", "docs/d.py", "docs/e.py", "docs/results/f.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("1")
    monkeypatch.setattr(resume, "DOCS", tmp_path / "docs")

    def changed(name: str) -> bool:
        found = []
        for text in ("1", "2"):
            (tmp_path / name).write_text(text)
            resume.code.cache_clear()
            found.append(resume.code(("docs.d",)))
        return found[0] != found[1]

    assert all(map(changed, ("replicate/a.py", "export/b.py", "tables/c.toml", "docs/d.py")))
    assert not any(map(changed, ("docs/e.py", "docs/results/f.py")))
