"""The warning of another distribution that installs a package of this project's names."""

import re
from pathlib import Path

import pytest

from replicate.cli import environment

ROOT = Path(__file__).parents[2]


def distribution(folder: Path, name: str, listed: str) -> None:
    (folder / name).mkdir(parents=True)
    (folder / name / ("RECORD" if name.endswith(".dist-info") else "top_level.txt")).write_text(listed)


@pytest.mark.parametrize(
    ("name", "listed", "found"),
    [
        ("replicate-1.0.dist-info", "replicate/__init__.py,,\nreplicate-1.0.dist-info/RECORD,,\n", "replicate 1.0"),
        ("some_tool-2.dist-info", "some_tool.py,,\nexport/__init__.py,,\n", "some_tool 2"),
        ("export-3.egg-info", "export\n", "export 3"),
        ("bridging_modalities-0.1.0.dist-info", "replicate/__init__.py,,\nexport/__init__.py,,\n", None),
        ("exporter-1.dist-info", "exporter/__init__.py,,\nsrc/replicate/x.py,,\n", None),
        ("broken-1.egg-info", "", None),
    ],
)
def test_owners_of_our_names_are_found(tmp_path, name, listed, found):
    distribution(tmp_path, "numpy-2.0.dist-info", "numpy/__init__.py,,\n")
    distribution(tmp_path, name, listed)
    text = environment.warning([str(tmp_path / "absent"), str(tmp_path)])
    assert text is None if found is None else text is not None and text.startswith(f"warning: {found} also installs")


def test_the_warning_is_one_line_on_stderr_and_changes_nothing_else(replicate, tmp_path, monkeypatch):
    distribution(tmp_path, "replicate-1.0.dist-info", "replicate/__init__.py,,\n")
    before = replicate("data", "list")
    monkeypatch.syspath_prepend(tmp_path)
    after = replicate("data", "list")
    assert after.stdout == before.stdout and after.status == 0
    assert after.stderr.splitlines() == [environment.warning(), *before.stderr.splitlines()]


def raised(code: str, module: str) -> Exception:
    """The error of a module of this name while it is imported."""
    try:
        exec(compile(code, f"{module}.py", "exec"), {"__name__": module})
    except Exception as error:
        return error
    raise AssertionError


def test_a_package_that_cannot_be_imported_is_named_with_the_variable_that_it_read(monkeypatch):
    monkeypatch.setenv("HF_HUB_ETAG_TIMEOUT", "soon")
    monkeypatch.setenv("OTHER", "soon")
    found = environment.broken_package(raised("int('soon')", "some_library.constants"))
    assert str(found) == (
        "some_library (ValueError: invalid literal for int() with base 10: 'soon'): correct HF_HUB_ETAG_TIMEOUT, or "
        "install it again"
    )
    missing = environment.broken_package(raised("import some_library_of_c", "some_library"))
    assert "some_library (ModuleNotFoundError: No module named" in str(missing) and "the environment var" in str(
        missing
    )
    # A fault of this package stays a traceback.
    assert environment.broken_package(raised("int('soon')", "replicate.corpus.types")) is None
    assert environment.broken_package(raised("int('soon')", "__main__")) is None


def test_a_library_that_fails_while_it_is_imported_is_one_line(replicate, tmp_path, monkeypatch):
    (tmp_path / "broken_library.py").write_text("raise ValueError('a setting is wrong:\\n soon')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("replicate.corpus.named_corpora", lambda: __import__("broken_library"))
    status, _, stderr = replicate("data", "list")
    assert status == 1 and stderr.startswith("error (cannot load): broken_library (ValueError: a setting is wrong:)")


def test_no_text_tells_to_install_this_project_by_name():
    pages = [ROOT / "README.md", *ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
    sources = [path for name in ("replicate", "export") for path in (ROOT / name).rglob("*.py")]
    assert len(pages) > 5 and len(sources) > 100
    found = [path.name for path in pages + sources if re.search(r"pip install[^\n`]*bridging", path.read_text())]
    assert found == []
