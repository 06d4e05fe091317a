from collections import Counter
from pathlib import Path

from export.demo.conversations import CLIPS, DRAWINGS, draw
from replicate.features.source import Utterance

ACTORS = {"a": "train", "b": "train", "c": "train", "d": "dev", "e": "test"}
GIVEN = [
    Utterance(name, f"{name}{i}", "M", Path(f"{name}{i}.wav"), "sad" if i % 2 else "angry", split)
    for name, split in ACTORS.items()
    for i in range(9)
]


def dialogues():
    found = {}
    for one, clip in draw(GIVEN).items():
        found.setdefault(one.dialogue, []).append((one, clip))
    return found


def test_every_clip_is_drawn_once_or_so_often_in_training():
    count = Counter(clip.name for clip in draw(GIVEN).values())
    assert count == {clip.name: DRAWINGS if clip.split == "train" else 1 for clip in GIVEN}
    assert len({one.name for one in draw(GIVEN)}) == sum(count.values())


def test_clips_keep_what_they_are():
    for one, clip in draw(GIVEN).items():
        assert (one.label, one.split, one.path) == (clip.label, clip.split, clip.path)


def test_whoever_begins_is_the_first_speaker_and_each_name_is_one_actor():
    sizes = set()
    for name, talk in dialogues().items():
        who = [(one.speaker, clip.dialogue) for one, clip in talk]
        assert who[0][0] == "first" and len({one.split for one, _ in talk}) == 1
        assert len(set(who)) == len({speaker for speaker, _ in who}) == len({actor for _, actor in who})
        assert max(Counter(who).values()) <= CLIPS, name
        sizes.add(len(set(who)))
    assert sizes == {1, 2}


def test_partners_and_order_are_drawn_and_always_the_same():
    assert list(draw(GIVEN)) == list(draw(GIVEN))
    pairs = {frozenset(clip.dialogue for _, clip in talk) for talk in dialogues().values()}
    assert len([pair for pair in pairs if len(pair) == 2]) > 1
    orders = [[clip.name for _, clip in talk] for talk in dialogues().values()]
    assert any(order != sorted(order) for order in orders)
