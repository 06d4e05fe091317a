"""Train the model of ``replicate demo`` and write its bundle: ``python -m docs.build_demo RECORDINGS``.

RECORDINGS has clips of RAVDESS in the form that ``replicate features`` takes. Not in the paper.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import replicate.api
from export.bundle import bundle
from export.bundle.select import Choice
from export.demo.conversations import draw
from export.demo.cutting import cut
from export.demo.shipped import BUNDLE
from replicate.config.profiles import profile
from replicate.corpus import Corpus, named_corpora
from replicate.corpus.types import SPLITS
from replicate.features.acoustic import AcousticExtractor
from replicate.features.assemble import to_corpus
from replicate.features.extract import extract
from replicate.features.read import read
from replicate.features.source import Utterance, measure, refuse
from replicate.files import atomic_folder

NAME, ARM, PROFILE = "ravdess-conversations", "demo", "demo"
# Of the whole bundle, in bytes: it is part of the package.
LARGEST = 1_500_000
NOTES = (
    "clips of RAVDESS, acted in a studio by actors who say two sentences, drawn into conversations of two; nobody "
    "answers anybody in them",
    "clips are cut to their utterances by energy; for training they are also repeated louder, softer and uncut",
    "trained and exported with `make demo DATA=FOLDER`",
)


def corpus_of(recordings: Path, work: Path) -> Corpus:
    """Return the conversations with their acoustic functionals; an interrupted extraction goes on in ``work``."""
    source, seconds = measure(cut(read(recordings), work / "cut"))
    refuse(source.problems)
    place = work / f"{NAME}.npz"
    found = extract(source, seconds, AcousticExtractor(), place)
    refuse(found.problems)
    talks = draw(source.utterances)
    vectors = {one: found.vectors[clip] for one, clip in talks.items()}
    notes = (NOTES[0], actors(source.utterances), *NOTES[1:])
    source = replace(source, name=NAME, notes=notes, utterances=tuple(talks))
    return to_corpus(source, vectors, AcousticExtractor())


def actors(clips: Sequence[Utterance]) -> str:
    """State which actors are in which split, of clips whose dialogues are single actors with numbers in their names.

    Names of copies, such as ``actor09 x0.25``, begin with the actor's.
    """
    lists = []
    for split in SPLITS:
        names = {clip.dialogue for clip in clips if clip.split == split}
        found = sorted({int(number[0]) for name in names if (number := re.search(r"\d+", name))})
        begins = [number for number in found if number - 1 not in found]
        ends = [number for number in found if number + 1 not in found]
        runs = [f"{a} to {b}" if a < b else f"{a}" for a, b in zip(begins, ends, strict=True)]
        lists.append(f"{', '.join(runs) or 'none'} in {split}")
    return f"actors {'; '.join(lists)}"


def build(recordings: Path, work: Path, target: Path) -> int:
    """Train the demo's model in ``work``, and write the bundle of its best seed on dev; returns its size in bytes.

    Raises:
        ReplicateError: see ``replicate.features.extract`` and ``export.bundle.bundle.write``. ValueError: it is larger
        than ``LARGEST``.
    """
    work.mkdir(parents=True, exist_ok=True)
    corpus = corpus_of(recordings, work)
    seeds = profile(PROFILE).seeds
    runs = [replicate.api.train(ARM, corpus, profile=PROFILE, seed=seed, results=work) for seed in seeds]
    best = max(runs, key=lambda run: run.f1("A", "dev"))
    choice = Choice(best, work, {ARM: [*runs]}, why=f"the best of {len(runs)} seeds on dev")
    made = bundle.write(choice, corpus, work / "bundle", portable=True, data=named_corpora()["ravdess4"]).folder
    size = sum(path.stat().st_size for path in made.rglob("*") if path.is_file())
    if size > LARGEST:
        raise ValueError(f"the bundle has {size:,} bytes, more than {LARGEST:,}: make the arm {ARM} smaller")
    with atomic_folder(target, replace=True) as folder:
        shutil.copytree(made, folder, dirs_exist_ok=True)
    return size


def _main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recordings", type=Path)
    parser.add_argument("--work", type=Path, default=Path("results/demo"), help="folder for the corpus and the runs")
    parser.add_argument("--out", type=Path, default=BUNDLE)
    given = parser.parse_args()
    print(f"{given.out}: {build(given.recordings, given.work, given.out):,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(_main())
