"""``python -m tests.fuzz``: fuzz all readers for some minutes, and print what happened."""

from __future__ import annotations

import argparse
import sys

from tests.fuzz import audio, bundles, lists, prediction, readers
from tests.fuzz.harness import READERS, Summary, fuzz, supported, table

assert audio and bundles and lists and prediction and readers  # registers them


def run(minutes: float, names: list[str], seed: int, cases: int | None = None) -> list[Summary]:
    """Fuzz readers one after the other, each for an equal share of the time."""
    return [fuzz(READERS[name](), 60 * minutes / len(names), seed, cases) for name in names]


def main() -> int:
    """Fuzz and print; 1 if a case failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1)
    parser.add_argument("--seed", type=int, default=0, help="other seeds give other cases")
    parser.add_argument("--cases", type=int, help="most cases of each reader")
    parser.add_argument("readers", nargs="*", choices=[[], *READERS], default=[], help="default: all")
    options = parser.parse_args()
    if not supported():
        print("children are limited and measured on Linux only", file=sys.stderr)
        return 2
    found = run(options.minutes, options.readers or list(READERS), options.seed, options.cases)
    print(table(found))
    failures = [line for each in found for line in each.failures]
    print(*failures, sep="\n")
    print(f"{sum(each.cases for each in found):,} cases, {len(failures)} kinds of failure")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
