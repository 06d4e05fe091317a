"""Write the lock files from pyproject.toml and constraints.txt, or check them: ``python -m docs.lock [--check]``.

``requirements.lock`` has every version with the hashes of its files, for all supported Pythons and platforms. What only
torch's builds for GPUs need is in that file; the rest is in ``requirements-cpu.lock``, which it includes. Not in the
paper.

The check uses the standard library alone, since it runs before anything is installed.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
WHOLE, CPU = "requirements.lock", "requirements-cpu.lock"
# Packages that only torch's builds for GPUs need.
GPU = re.compile(r"(nvidia|cuda)-|triton==")
# The wheels of torch's CPU builds are on an index of their own, which a lock does not name: `make lock` copies their
# hashes from the earlier lock and adds those of the folder that it is given.
CPU_WHEEL = re.compile(r"# also (torch-\S+\+cpu-\S+\.whl) (sha256:[0-9a-f]{64})")
COMPILE = (
    *("pip", "compile", "pyproject.toml", "--extra", "dev", "--constraint", "constraints.txt", "--universal"),
    *("--python-version", "3.10", "--generate-hashes", "--no-emit-index-url", "--no-emit-find-links", "--no-header"),
    *("--no-annotate", "--quiet"),
)


class LockError(Exception):
    """The lock files do not fit the files that they are made from."""


def sha256(text: str) -> str:
    """The hash of a text, as it is written in a lock."""
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def dependency_lines(pyproject: str) -> Iterator[str]:
    """The lines of pyproject.toml that decide what is installed; Python 3.10 has no reader of TOML without packages."""
    table, inside = "", False
    for line in map(str.strip, pyproject.splitlines()):
        if line.startswith("[") and not inside:
            table = line
        elif table in ("[build-system]", "[project.optional-dependencies]"):
            yield line
        elif table == "[project]" and (inside or re.match(r"(requires-python|dependencies) *=", line)):
            inside = (inside and line != "]") or line.endswith("[")
            yield line


def inputs(root: Path) -> dict[str, str]:
    """The hash of what decides a lock, without comments and empty lines, by the name of the file."""
    texts = {
        "pyproject.toml": list(dependency_lines((root / "pyproject.toml").read_text(encoding="utf-8"))),
        "constraints.txt": (root / "constraints.txt").read_text(encoding="utf-8").splitlines(),
    }
    return {
        name: sha256("\n".join(line for line in lines if line.strip() and not line.startswith("#")))
        for name, lines in texts.items()
    }


def requirements(text: str) -> list[str]:
    """The requirements of a lock, each with the lines of its hashes."""
    return re.findall(r"^[a-z0-9][^\n]*\\\n(?: +--hash=sha256:[0-9a-f]{64}(?: \\)?\n)+", text, re.MULTILINE)


def cpu_wheels(root: Path, folder: Path | None) -> dict[str, str]:
    """The hashes of wheels of torch's CPU builds, by file name: those of the earlier lock, and those in a folder."""
    path = root / CPU
    earlier = path.read_text(encoding="utf-8") if path.exists() else ""
    found = dict(CPU_WHEEL.findall(earlier))
    for wheel in sorted(folder.glob("torch-*+cpu-*.whl")) if folder else ():
        found[wheel.name] = "sha256:" + hashlib.sha256(wheel.read_bytes()).hexdigest()
    return found


def with_cpu_builds(requirement: str, wheels: dict[str, str]) -> tuple[str, list[str]]:
    """The requirement of torch with the hashes of the CPU builds of its version, and a comment for each."""
    version = requirement.split("==")[1].split()[0]
    ours = {name: digest for name, digest in wheels.items() if name.startswith(f"torch-{version}+cpu-")}
    first, *hashes = requirement.rstrip("\n").split("\n")
    lines = sorted({line.removesuffix(" \\") for line in hashes} | {f"    --hash={digest}" for digest in ours.values()})
    return first + "\n" + " \\\n".join(lines) + "\n", [f"# also {name} {digest}" for name, digest in ours.items()]


def head(root: Path, content: str) -> str:
    """The comments at the top of a lock: what it was made from, and the hash of its content."""
    lines = ["# Made by `make lock`; do not edit. Versions and hashes of files, for Python 3.10 and newer."]
    lines += [f"# {name} {digest}" for name, digest in inputs(root).items()]
    return "\n".join([*lines, f"# content {sha256(content)}", content])


def write(root: Path, wheels: Path | None) -> None:
    """Resolve with uv and write both locks; packages without a constraint keep the version of the earlier lock."""
    with tempfile.TemporaryDirectory() as folder:
        resolved = Path(folder) / WHOLE
        earlier = [(root / name).read_text(encoding="utf-8") for name in (WHOLE, CPU) if (root / name).exists()]
        resolved.write_text("".join(one for text in earlier for one in requirements(text)), encoding="utf-8")
        subprocess.run([sys.executable, "-m", "uv", *COMPILE, "--output-file", resolved], cwd=root, check=True)
        found = requirements(resolved.read_text(encoding="utf-8"))
    comments: list[str] = []
    for position, one in enumerate(found):
        if one.startswith("torch=="):
            found[position], comments = with_cpu_builds(one, cpu_wheels(root, wheels))
    cpu = "".join([line + "\n" for line in comments] + [one for one in found if not GPU.match(one)])
    whole = f"-r {CPU}\n" + "".join(one for one in found if GPU.match(one))
    for name, content in ((CPU, cpu), (WHOLE, whole)):
        (root / name).write_text(head(root, content), encoding="utf-8")


def check(root: Path) -> None:
    """Compare the locks with what they were made from.

    Raises:
        LockError: a lock is missing, was edited, or was made from other dependencies or constraints.
    """
    for name in (WHOLE, CPU):
        if not (root / name).exists():
            raise LockError(f"{name} is missing; make it with: make lock")
        comments, _, content = (root / name).read_text(encoding="utf-8").partition("\n# content ")
        digest, _, content = content.partition("\n")
        if digest != sha256(content):
            raise LockError(f"{name} was edited: its content has another hash than its head; make it again: make lock")
        for made_from, expected in inputs(root).items():
            if f"# {made_from} {expected}" not in comments.splitlines():
                raise LockError(f"{name} does not match the dependencies in {made_from}; make it again: make lock")


def main() -> None:
    """Write the locks, or check them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="compare the locks with pyproject.toml and constraints.txt"
    )
    parser.add_argument("--wheels", type=Path, help="a folder with wheels of torch's CPU builds")
    options = parser.parse_args()
    try:
        if not options.check:
            write(ROOT, options.wheels)
        check(ROOT)
    except (LockError, subprocess.CalledProcessError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
