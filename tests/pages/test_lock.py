"""The lock files hold what pyproject.toml and constraints.txt ask for, and a lock of something else is refused."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from docs import lock

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[2]
FILES = ("pyproject.toml", "constraints.txt", lock.WHOLE, lock.CPU)
PYPROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
PROJECT = tomllib.loads(PYPROJECT)
PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
HASHES = "".join(f"    --hash=sha256:{digit * 64}{end}" for digit, end in (("1", " \\\n"), ("3", "\n")))


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A folder with the locks, what they are made from, and the script."""
    for name in FILES:
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "docs").mkdir()
    shutil.copy(ROOT / "docs" / "lock.py", tmp_path / "docs")
    return tmp_path


def change(path: Path, old: str, new: str) -> None:
    content = path.read_text(encoding="utf-8")
    assert old in content
    path.write_text(content.replace(old, new, 1), encoding="utf-8")


def versions(requirements: list[Requirement], python: str) -> dict[str, str]:
    """The version of each package on Linux for a version of Python."""
    environment = {"python_version": python, "python_full_version": f"{python}.1", "sys_platform": "linux"}
    held = [one for one in requirements if one.marker is None or one.marker.evaluate(environment)]
    assert len({one.name for one in held}) == len(held)
    return {one.name: str(one.specifier) for one in held}


def locked() -> list[Requirement]:
    texts = [(ROOT / name).read_text(encoding="utf-8") for name in (lock.CPU, lock.WHOLE)]
    return [Requirement(one.split("\\\n")[0]) for text in texts for one in lock.requirements(text)]


def test_the_locks_match_the_repository():
    lock.check(ROOT)


@pytest.mark.parametrize("python", PYTHONS)
def test_locked_versions_are_those_of_the_constraints(python):
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    wanted = versions([Requirement(line) for line in lines if not line.startswith("#")], python)
    found = versions(locked(), python)
    both = found.keys() & wanted.keys()
    assert {name: found[name] for name in both} == {name: wanted[name] for name in both}
    assert {name for name in found.keys() - both if not lock.GPU.match(f"{name}==")} <= {"setuptools"}


@pytest.mark.parametrize("python", PYTHONS)
def test_every_dependency_is_locked_at_a_version_that_it_allows(python):
    project = PROJECT["project"]
    named = [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]
    wanted = [Requirement(one) for one in named if not one.startswith(project["name"])]
    found = versions(locked(), python)
    for one in wanted:
        if one.marker is None or one.marker.evaluate({"python_version": python}):
            assert one.specifier.contains(found[one.name].removeprefix("=="))


@pytest.mark.parametrize("name", [lock.WHOLE, lock.CPU])
def test_every_line_of_a_lock_is_a_comment_or_has_hashes_and_none_names_a_server(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    other = [line for line in text.splitlines() if not re.match(r"#|    --hash=sha256:", line)]
    assert len(lock.requirements(text)) == len([line for line in other if line != f"-r {lock.CPU}"])
    assert "://" not in text


def test_the_lines_of_dependencies_are_those_that_a_reader_of_toml_finds():
    build, project = PROJECT["build-system"], PROJECT["project"]
    wanted = [*build["requires"], build["build-backend"], project["requires-python"]]
    wanted += [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]
    assert re.findall(r'"([^"]+)"', "\n".join(lock.dependency_lines(PYPROJECT))) == wanted


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("pyproject.toml", '"click>=8.1"', '"click>=8.2"', "does not match the dependencies in pyproject.toml"),
        ("pyproject.toml", "pandas = [", 'more = ["attrs"]\npandas = [', "the dependencies in pyproject.toml"),
        ("pyproject.toml", '">=3.10"', '">=3.11"', "does not match the dependencies in pyproject.toml"),
        ("constraints.txt", "attrs==", "attrs==0.", "does not match the dependencies in constraints.txt"),
        (lock.CPU, "--hash=sha256:", "--hash=sha256:0", f"{lock.CPU} was edited"),
        (lock.WHOLE, f"-r {lock.CPU}\n", "", f"{lock.WHOLE} was edited"),
    ],
)
def test_another_lock_is_refused_in_one_line(copy, name, old, new, said):
    change(copy / name, old, new)
    done = subprocess.run([sys.executable, "docs/lock.py", "--check"], cwd=copy, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
    assert said in done.stderr and done.stderr.endswith("make lock\n")


def test_a_missing_lock_is_named(copy):
    (copy / lock.CPU).unlink()
    with pytest.raises(lock.LockError, match=rf"{lock.CPU} is missing; make it with: make lock"):
        lock.check(copy)


def test_other_settings_and_comments_leave_the_lock_valid(copy):
    change(copy / "pyproject.toml", "line-length = 120", "line-length = 100")
    change(copy / "pyproject.toml", "description = ", "description = 'other' # ")
    change(copy / "constraints.txt", "# ", "# also ")
    lock.check(copy)


def test_hashes_of_cpu_builds_are_kept_for_their_version_alone(tmp_path):
    (tmp_path / lock.CPU).write_text(f"# also torch-2.0+cpu-cp311-none-any.whl sha256:{'2' * 64}\n", encoding="utf-8")
    (tmp_path / "torch-2.1+cpu-cp311-none-any.whl").write_bytes(b"")
    wheels = lock.cpu_wheels(tmp_path, tmp_path)
    assert sorted(wheels) == ["torch-2.0+cpu-cp311-none-any.whl", "torch-2.1+cpu-cp311-none-any.whl"]
    assert lock.with_cpu_builds(f"torch==2.0 \\\n{HASHES}", wheels) == (
        "torch==2.0 \\\n"
        + HASHES.replace("    --hash=sha256:3", f"    --hash=sha256:{'2' * 64} \\\n    --hash=sha256:3"),
        [f"# also torch-2.0+cpu-cp311-none-any.whl sha256:{'2' * 64}"],
    )
    assert lock.with_cpu_builds(f"torch==3.0 \\\n{HASHES}", wheels) == (f"torch==3.0 \\\n{HASHES}", [])
