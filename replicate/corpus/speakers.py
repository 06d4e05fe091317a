"""Who speaks in which dialogue of a corpus, read from names and ids: persons, not roles."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence

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
    """Return the speakers of every dialogue, by the dialogue's id; None if neither names nor ids tell.

    1. Corpora with more than two names of speakers: these names. Two names are often roles, such as M and F.
    2. Ids that begin with a session ("Ses01F_impro01", "Syn01_001"): M and F of this session, in all its dialogues.
    3. Ids that begin with a speaker ("actor01_0"): this speaker.
    4. Corpora whose only speaker is called "speaker" (MOSI): a speaker for each dialogue.
    """
    if len(corpus.speakers) > 2:
        return {d.id: frozenset(corpus.speakers[i] for i in set(d.speakers.tolist())) for d in corpus.dialogues}
    sessions = sessions_of(corpus)
    if sessions is not None:
        return {id_: frozenset(f"{session}{name}" for name in corpus.speakers) for id_, session in sessions.items()}
    named = _begins(corpus, _SPEAKER)
    if named is not None:
        return {id_: frozenset([name]) for id_, name in named.items()}
    if corpus.speakers == _MONOLOGUE:
        return {dialogue.id: frozenset([dialogue.id]) for dialogue in corpus.dialogues}
    return None


def sessions_of(corpus: Corpus) -> dict[str, str] | None:
    """Return the session of every dialogue, by the dialogue's id; None if not all ids begin with one."""
    return _begins(corpus, _SESSION)


def speaker_groups(corpus: Corpus) -> Groups | None:
    """Return groups of dialogues without a common speaker, in the corpus's order; None if the speakers are not known.

    Two dialogues that share a speaker are in one group, and so are all that are connected in this way. A group's name
    is its session, or its speakers.
    """
    from scipy.cluster.hierarchy import DisjointSet

    speakers = speakers_of(corpus)
    if speakers is None:
        return None
    connected = DisjointSet(speakers)
    first: dict[str, str] = {}
    for id_, names in speakers.items():
        for name in names:
            connected.merge(first.setdefault(name, id_), id_)
    groups: dict[str, list[str]] = defaultdict(list)
    for id_ in speakers:
        groups[connected[id_]].append(id_)
    sessions = sessions_of(corpus) or {}
    return {_group_name(ids, speakers, sessions): frozenset(ids) for ids in groups.values()}


def _group_name(ids: Sequence[str], speakers: Mapping[str, frozenset[str]], sessions: Mapping[str, str]) -> str:
    found = {sessions.get(id_) for id_ in ids}
    (session,) = found if len(found) == 1 else (None,)
    return session or "+".join(sorted({name for id_ in ids for name in speakers[id_]}))


def _begins(corpus: Corpus, pattern: re.Pattern[str]) -> dict[str, str] | None:
    matches = {dialogue.id: pattern.match(dialogue.id) for dialogue in corpus.dialogues}
    found = {id_: match[1] for id_, match in matches.items() if match}
    return found if len(found) == len(matches) else None
