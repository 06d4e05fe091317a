"""``python -m tests.fuzz``: fuzz all readers for some minutes or cases, and print what happened."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

from tests.fuzz import audio, bundles, corpora, definitions, demo, encoders, lists, prediction, readers, results_folders
from tests.fuzz.harness import HEADER, READERS, Summary, fuzz, row, supported

assert audio and bundles and corpora and definitions and demo and encoders
assert lists and prediction and readers and results_folders  # registers them


def run(names: list[str], seed: int, minutes: float, cases: int | None = None) -> Iterator[Summary]:
    """Fuzz readers one after the other, each for an equal share of the time and of the cases.

    Args:
        minutes: of all readers, 0 for no limit.
        cases: of all readers, None for no limit.
    """
    for i, name in enumerate(names):
        share = None if cases is None else cases * (i + 1) // len(names) - cases * i // len(names)
        yield fuzz(READERS[name](), 60 * minutes / len(names) if minutes else float("inf"), seed, share)


def main() -> int:
    """Fuzz and print; 1 if a case failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, help="of all readers (default: 1, without --cases)")
    parser.add_argument("--cases", type=int, help="of all readers; of two limits, the first that is reached counts")
    parser.add_argument("--seed", type=int, default=0, help="other seeds give other cases")
    parser.add_argument("readers", nargs="*", choices=[[], *READERS], default=[], help="default: all")
    options = parser.parse_args()
    if not supported():
        print("children are limited and measured on Linux only", file=sys.stderr)
        return 2
    minutes = options.minutes if options.minutes is not None else 0 if options.cases else 1
    total, failures = 0, []
    print(HEADER)
    for found in run(options.readers or list(READERS), options.seed, minutes, options.cases):
        print(row(found), flush=True)
        total += found.cases
        failures += found.failures
    print(*failures, sep="\n", end="\n" * bool(failures))
    print(f"{total:,} cases, seed {options.seed}, {len(failures)} kinds of failure")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
