from dataclasses import replace
from pathlib import Path

from docs import build_demo
from replicate.features.read import read
from replicate.features.source import Utterance


def clips(**splits):
    return [Utterance(f"actor{n:02}", f"c{n}", "M", Path("c.wav"), split=s) for s, ns in splits.items() for n in ns]


def test_actors_are_listed_by_split():
    given = clips(test=[9], train=[3, 1, 2, 2, 5], dev=[])
    given += [replace(one, dialogue=f"{one.dialogue} x0.25") for one in given]
    assert build_demo.actors(given) == "actors 1 to 3, 5 in train; none in dev; 9 in test"


def test_actors_of_the_shipped_bundle(shared_data):
    found = build_demo.actors(read(shared_data / "ravdess" / "recordings").utterances)
    assert found == "actors 1 to 14 in train; 15 to 18 in dev; 19 to 24 in test"
