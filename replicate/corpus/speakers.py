"""Who speaks in which dialogue of a corpus, read from names and ids: persons, not roles."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from replicate.corpus.types import Corpus

# IEMOCAP: two actors, M and F, in each session ("Ses01F_impro01"); the synthetic corpora imitate it ("Syn01_001").
_SESSION = re.compile(r"((?:ses|session|syn)[-_]?\d+)(?!\d)", re.IGNORECASE)
# RAVDESS ("actor01_0"), and ids of users who name files like this.
_SPEAKER = re.compile(r"((?:actor|speaker|spk)[-_]?\d+)(?!\d)", re.IGNORECASE)
# The one speaker of every video of MOSI.
_MONOLOGUE = ("speaker",)
# Ids of dialogues by the name of a group of them.
Groups = dict[str, frozenset[str]]


def speakers_of(corpus: Corpus) -> dict[str, frozenset[str]] | None:
    """Return the speakers of every dialogue, by the dialogue's id; None if neither names nor ids tell."""
    return speakers_in({d.id: frozenset(d.speakers.tolist()) for d in corpus.dialogues}, corpus.speakers)


def speakers_in(spoken: Mapping[str, frozenset[int]], names: Sequence[str]) -> dict[str, frozenset[str]] | None:
    """Return the speakers of some dialogues by the dialogue's id; None if neither names nor ids tell.

    1. Corpora with more than two names of speakers: these names. Two names are often roles, such as M and F.
    2. Ids that begin with a session ("Ses01F_impro01", "Syn01_001"): M and F of this session, in all its dialogues.
    3. Ids that begin with a speaker ("actor01_0"): this speaker.
    4. Corpora whose only speaker is called "speaker" (MOSI): a speaker for each dialogue.

    Args:
        spoken: numbers of the speakers of each dialogue, by its id. names: of the corpus's speakers, by number.
    """
    if len(names) > 2:
        return {id_: frozenset(names[i] for i in numbers) for id_, numbers in spoken.items()}
    sessions = _begins(spoken, _SESSION)
    if sessions is not None:
        return {id_: frozenset(f"{session}{name}" for name in names) for id_, session in sessions.items()}
    named = _begins(spoken, _SPEAKER)
    if named is not None:
        return {id_: frozenset([name]) for id_, name in named.items()}
    if tuple(names) == _MONOLOGUE:
        return {id_: frozenset([id_]) for id_ in spoken}
    return None


def sessions_of(corpus: Corpus) -> dict[str, str] | None:
    """Return the session of every dialogue, by the dialogue's id; None if not all ids begin with one."""
    return _begins([dialogue.id for dialogue in corpus.dialogues], _SESSION)


def speaker_groups(corpus: Corpus) -> Groups | None:
    """Return groups of dialogues without a common speaker, in the corpus's order; None if the speakers are not known.

    Two dialogues that share a speaker are in one group, and so are all that are connected in this way. A group's name
    is its session, or its speakers.
    """
    speakers = speakers_of(corpus)
    if speakers is None:
        return None
    sessions = sessions_of(corpus) or {}
    return {_group_name(ids, speakers, sessions): frozenset(ids) for ids in connected(speakers)}


def connected(speakers: Mapping[str, frozenset[str]]) -> list[list[str]]:
    """Return the ids of dialogues that share a speaker, or are connected by dialogues that do, in their order.

    Args:
        speakers: of each dialogue, by its id.
    """
    from scipy.cluster.hierarchy import DisjointSet

    found = DisjointSet(speakers)
    first: dict[str, str] = {}
    for id_, names in speakers.items():
        for name in names:
            found.merge(first.setdefault(name, id_), id_)
    groups: dict[str, list[str]] = defaultdict(list)
    for id_ in speakers:
        groups[found[id_]].append(id_)
    return list(groups.values())


def _group_name(ids: Sequence[str], speakers: Mapping[str, frozenset[str]], sessions: Mapping[str, str]) -> str:
    found = {sessions.get(id_) for id_ in ids}
    (session,) = found if len(found) == 1 else (None,)
    return session or "+".join(sorted({name for id_ in ids for name in speakers[id_]}))


def _begins(ids: Collection[str], pattern: re.Pattern[str]) -> dict[str, str] | None:
    matches = {id_: pattern.match(id_) for id_ in ids}
    found = {id_: match[1] for id_, match in matches.items() if match}
    return found if len(found) == len(matches) else None
