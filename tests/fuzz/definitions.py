"""Definitions that are changed: arms, protocols, profiles, sweeps and tables in TOML, in a folder of a user."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from replicate.errors import ReplicateError
from tests.fuzz.fields import of_fields
from tests.fuzz.harness import Reader, register

ARM = '[mine]\nlike = "COGMEN-Mask"\ngnn_heads = 2\nwindow = [3, 3]\n[other]\nlike = "Student-A"\nteacher = "mine"\n'
SWEEP = '[mine]\ncontext_layers = [1, 2]\ndropout = [0.1, 0.5]\n"masking.length" = [1, 3]\n'
TOKENS = (
    *(
        "[",
        "]",
        "[[",
        "]]",
        "{",
        "}",
        "[x]",
        "[[rows]]",
        '"""',
        "'''",
        "=",
        "= ",
        "x = 1\n",
        "x.y.z",
        "1979-05-27",
        "07:32:00",
    ),
    *(
        "1e999",
        "inf",
        "0x7fffffffffffffff",
        "9223372036854775807",
        "-9223372036854775808",
        "1_000_000_000_000",
        "[1, 2]",
    ),
    *(
        "{ A = 0.5 }",
        "[[[[[[[[",
        "{ like = 'mine' }",
        '"\\u001b[31m"',
        '"\\ud800"',
        "like",
        "teacher",
        "mine",
        "COGMEN-AV",
    ),
    *("[" * 3_000, "x." * 3_000, "'" + "a" * 90_000 + "'", "gnn_heads", "distillation = { method = 'dmd' }"),
)


def _mutate(content: bytes, draws: random.Random) -> bytes:
    return of_fields(content, draws, TOKENS)


def _checks() -> dict[str, tuple[str, Callable[[], Any]]]:
    """Return for each file its valid content, and a function that reads and checks it."""
    from replicate.config import grid, tables
    from replicate.config.arms import arms
    from replicate.config.profiles import profile
    from replicate.config.protocols import protocol
    from tests.config.test_folders import PROFILE, PROTOCOL, TABLE

    return {
        "arms": (ARM, arms),
        "protocols": (PROTOCOL, lambda: protocol("mine")),
        "profiles": (PROFILE, lambda: profile("mine")),
        "sweep": (SWEEP, lambda: grid.trials(grid.arm_with_grid("mine"), protocol("paper"), 5)),
        "mine": (TABLE, lambda: tables.table("mine")),
    }


@register("definitions")
def definitions() -> Reader:
    """TOML files of ``--config-dir``; a case names its file in the first line."""
    from replicate.config import folders

    checks = _checks()

    def read(path: Path) -> None:
        content = path.read_bytes()
        found = re.match(rb"# (\w+)\n", content)
        name = found[1].decode() if found and found[1].decode() in checks else "mine"
        folder = path.parent / "definitions"
        folder.mkdir(exist_ok=True)
        for each, (valid, _) in checks.items():
            (folder / f"{each}.toml").write_text(valid)
        (folder / f"{name}.toml").write_bytes(content)
        folders.use(folder)
        checks[name][1]()

    seeds = [f"# {name}\n{valid}".encode() for name, (valid, _) in checks.items()]
    return Reader("definitions", lambda: seeds, read, _mutate, (ReplicateError,), ".toml")
