"""Which entries of ``measured.toml`` are complete, so that ``make results`` goes on where it was interrupted.

An entry is complete if its mark, a file in ``RESULTS/complete/`` that is written after its last command, has the same
commands, code, versions of libraries, processor and input files (by size and date) as this command would use, and if
the outputs are as the commands left them (by SHA-256). Code is what is in replicate/, export/ and tables/, and the
module of docs/ that a command runs, committed or not; so a commit that changes results or pages alone repeats nothing.
The mark also names the commit. An entry that is repeated trains only what the store of runs does not have.
"""

from __future__ import annotations

import functools
import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from docs.costs import Cost
from docs.entries import DOCS, Entry
from replicate.experiment.manifest import installed_versions
from replicate.files import sha256, write_text
from replicate.machine import processor
from replicate.provenance import revision

FOLDER = "complete"
CODE = ("replicate", "export", "tables")
# What an entry is, whatever the folders of this machine are called.
_DATA, _RESULTS = Path("DATA"), Path("RESULTS")


@dataclass(frozen=True)
class Conditions:
    """What the outputs of an entry depend on.

    Attributes:
        inputs: size in bytes and time of the last change in nanoseconds, by path below the folder with the corpora.
    """

    commands: list[list[str]]
    code: str
    versions: dict[str, str | None]
    processor: str | None
    inputs: dict[str, list[int]]

    @classmethod
    def of(cls, entry: Entry, folder: Path) -> Conditions:
        """Return the conditions under which an entry would be measured now."""
        commands = entry.commands(_DATA, _RESULTS)
        modules = tuple(words[2] for words in commands if words[:2] == ["python", "-m"])
        inputs = {}
        for path in entry.inputs(folder):
            for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
                if file.is_file():
                    inputs[file.relative_to(folder).as_posix()] = [file.stat().st_size, file.stat().st_mtime_ns]
        return cls(commands, code(modules), installed_versions(), processor(), inputs)


@functools.cache
def code(modules: tuple[str, ...]) -> str:
    """Return a hash of the code that commands run, with these modules of docs/."""
    root = DOCS.parent
    files = [file for name in CODE for ending in ("py", "toml") for file in sorted((root / name).rglob(f"*.{ending}"))]
    files += [root / f"{name.replace('.', '/')}.py" for name in modules]
    digest = hashlib.sha256()
    for file in files:
        if file.is_file():  # another module than one of docs/
            digest.update(f"{file.relative_to(root)} {sha256(file)}\n".encode())
    return digest.hexdigest()[:16]


def mark_of(entry: Entry, out: Path) -> Path:
    """Return the path of an entry's mark."""
    return out / FOLDER / f"{entry.name.replace('/', '--')}.json"


def write(entry: Entry, out: Path, under: Conditions, cost: Cost) -> None:
    """Mark an entry as complete."""
    commit, clean = revision()
    content = {
        "commit": commit,
        "clean": clean,
        **asdict(under),
        "outputs": _outputs(entry, out),
        "cost": asdict(cost),
    }
    path = mark_of(entry, out)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(content, indent=1) + "\n")


def cost(entry: Entry, out: Path) -> Cost:
    """Return what a complete entry has cost."""
    return Cost(**_read(entry, out)["cost"])


def why_not(entry: Entry, folder: Path, out: Path) -> str | None:
    """Return why an entry has to be measured, in words; None if it is complete."""
    try:
        found = _read(entry, out)
        for name, value in asdict(Conditions.of(entry, folder)).items():
            if found[name] != value:
                return f"other {name} than in the last measurement"
        if found["outputs"] != _outputs(entry, out) or not found["outputs"]:
            return "its outputs were changed"
        Cost(**found["cost"])
    except FileNotFoundError as error:
        return "not measured here" if error.filename == str(mark_of(entry, out)) else "its outputs are gone"
    except (OSError, ValueError, KeyError, TypeError):
        return "its mark cannot be read"
    return None


def _outputs(entry: Entry, out: Path) -> dict[str, str]:
    return {path: sha256(file) for file, path in entry.outputs(out).items()}


def _read(entry: Entry, out: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(mark_of(entry, out).read_text(encoding="utf-8"))
    return content
