"""Assign the speakers of recordings to those that a model knows."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from export.predictor import BadInput
from replicate.features.source import Source
from replicate.features.tables import nfc

# The model's name of a speaker by dialogue and name in the recordings.
SpeakerNames = dict[tuple[str, str], str]
# Of how many dialogues a note lists the assignment.
_LISTED = 3


def speaker_names(
    source: Source, given: Mapping[str, str], known: Sequence[str]
) -> tuple[SpeakerNames, tuple[str, ...]]:
    """Return the model's speaker for every speaker of each dialogue, and a note on those that were assigned.

    Names that the model does not know are assigned in order of appearance in each dialogue: the first one to the first
    of the model's speakers that no other name of the dialogue stands for, and so on, from the first again if there are
    more. A name of an earlier dialogue stands for the same one again, unless that is taken. Names are compared in one
    form of Unicode.

    Args:
        given: assignments by the user. known: the model's speakers.

    Raises:
        BadInput: an assignment names a speaker that no recording, or the model, has.
    """
    given = {nfc(name): nfc(other) for name, other in given.items()}
    known = [nfc(name) for name in known]
    speakers: dict[str, dict[str, None]] = {}
    for utterance in source.utterances:
        speakers.setdefault(utterance.dialogue, {})[utterance.speaker] = None
    _check(source, given, known, list(dict.fromkeys(name for own in speakers.values() for name in own)))
    found: SpeakerNames = {}
    assigned: dict[str, list[str]] = {}
    earlier: dict[str, str] = {}
    example = ""
    for dialogue, own in speakers.items():
        names = {name: given.get(name, name) for name in own}
        unknown = [name for name in own if names[name] not in known]
        taken = set(names.values())
        for name in unknown:
            if name in earlier and earlier[name] not in taken:
                names[name] = earlier[name]
                taken.add(earlier[name])
        free = [name for name in known if name not in taken] or known
        names |= {name: free[i % len(free)] for i, name in enumerate(n for n in unknown if names[n] not in known)}
        earlier = {name: names[name] for name in unknown} | earlier
        found |= {(dialogue, name): other for name, other in names.items()}
        if unknown:
            assigned[dialogue] = [f"{name}={names[name]}" for name in unknown]
            example = example or f"{unknown[0]}={next((name for name in known if name != names[unknown[0]]), known[0])}"
    return found, _note(assigned, example)


def _check(source: Source, given: Mapping[str, str], known: Sequence[str], speakers: Sequence[str]) -> None:
    absent = [name for name in given if name not in speakers]
    if absent:
        more = f" and {len(speakers) - 6} more" if len(speakers) > 6 else ""
        raise BadInput(
            f"--speaker {absent[0]!r}: {source.name} has no such speaker, only {', '.join(speakers[:6])}{more}"
        )
    wrong = [name for name in given.values() if name not in known]
    if wrong:
        raise BadInput(f"--speaker ...={wrong[0]!r}: the model only knows the speakers {', '.join(known)}")


def _note(assigned: Mapping[str, Sequence[str]], example: str) -> tuple[str, ...]:
    if not assigned:
        return ()
    first = next(iter(assigned.values()))
    if all(pairs == first for pairs in assigned.values()):
        shown = _some(first)
    else:
        shown = "; ".join(f"{name}: {_some(pairs)}" for name, pairs in list(assigned.items())[:_LISTED])
        shown += "; ..." if len(assigned) > _LISTED else ""
    return (
        f"speakers that the model does not know were assigned in order of appearance ({shown}); assign them otherwise "
        f"with --speaker, such as --speaker {shlex.quote(example)}",
    )


def _some(pairs: Sequence[str]) -> str:
    return ", ".join(pairs[:4]) + (", ..." if len(pairs) > 4 else "")
