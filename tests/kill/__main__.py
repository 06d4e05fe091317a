"""``python -m tests.kill``: kill every command so many times, and print what happened."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from pathlib import Path

from tests.kill.harness import Summary, kill_often, supported
from tests.kill.scenarios import SCENARIOS


def main() -> int:
    """Kill and print; 1 if a command did not recover, left a traceback, or left a process for too long."""
    parser = argparse.ArgumentParser(prog="python -m tests.kill", description=__doc__)
    parser.add_argument("--kills", type=int, default=20, help="of all commands together, at least one of each")
    parser.add_argument("--seed", type=int, default=0, help="other seeds give other moments and signals")
    parser.add_argument("commands", nargs="*", choices=[[], *SCENARIOS], default=[], help="default: all")
    options = parser.parse_args()
    if not supported():
        print("processes of a command are found on Linux only", file=sys.stderr)
        return 2
    # In the background shells ignore it, which commands would inherit.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    names = options.commands or list(SCENARIOS)
    found = []
    shares = sum(SCENARIOS[name].share for name in names)
    for name in names:
        kills = max(1, options.kills * SCENARIOS[name].share // shares)
        with tempfile.TemporaryDirectory(prefix="kill-") as folder:
            found.append(kill_often(SCENARIOS[name], Path(folder), kills, options.seed))
        print(line(found[-1]), *found[-1].failures, sep="\n  ", flush=True)
    print(f"{sum(one.kills for one in found)} kills, {sum(one.hits for one in found)} while something was written")
    return 1 if any(one.failures for one in found) else 0


def line(one: Summary) -> str:
    """Return what happened to one command."""
    unlike = f"; times in {', '.join(one.unlike)}" if one.unlike else ""
    slowest = ", ".join(f"{seconds:.1f} s ({kind})" for kind, seconds in sorted(one.slowest.items())) or "0 s"
    return (
        f"{one.name}: {one.kills} kills, {one.hits} while something was written, {one.missed} after its end; "
        f"gone after at most {slowest}; {len(one.failures)} failures{unlike}"
    )


if __name__ == "__main__":
    sys.exit(main())
