"""Voice activity by energy, as the sound arrives: where an utterance begins, and where it ends.

``page/activity.js`` computes the same, and a test compares them. Not in the paper, whose utterances come with the
corpus. A detector that is trained is better in noise; this one needs no file and no time.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

RATE = 16_000
# Samples of a frame: 20 ms.
FRAME = 320
# The noise floor is the level below which a tenth of the frames of the last 5 s are, in dB of full scale. It is taken
# to be the lowest possible until there is a second of sound.
HISTORY, SHARE, YOUNGEST, LOWEST = 250, 0.1, 50, -70.0
# Speech begins above the floor by the first number of dB, for 3 frames, and lasts while it is above by the second.
BEGIN, LAST, RISE = 12.0, 7.0, 3
# In frames: the pause that ends an utterance (0.5 s), what is kept around it (0.1 s), the shortest (0.25 s) and the
# longest (15 s), which is cut.
PAUSE, PAD, SHORTEST, LONGEST = 25, 5, 13, 750
# So that silence has a level.
_POWER = 1e-10


@dataclass(frozen=True)
class Utterance:
    """One utterance of a signal: the number of its first sample, and its samples (n,)."""

    start: int
    samples: NDArray[np.float32]


class Activity:
    """Finds utterances in a signal that arrives piece by piece; it holds no more of it than the longest utterance.

    Attributes:
        speaking: whether an utterance has begun and not ended.
        level, floor: of the last frame and of the noise, in dB of full scale.
    """

    def __init__(self) -> None:
        self.speaking = False
        self.level = self.floor = LOWEST
        self._held: NDArray[np.float32] = np.zeros(0, np.float32)
        # Number of the first sample that is held; of frames that were looked at.
        self._first = self._frames = 0
        self._history: deque[float] = deque(maxlen=HISTORY)
        self._above = 0
        # Numbers of frames: where the utterance begins, its first and last frame of speech, where the last one ended.
        self._begin = self._onset = self._voice = self._earliest = 0
        self._loudest = LOWEST

    def push(self, samples: NDArray[np.float32]) -> list[Utterance]:
        """Add the next samples and return the utterances that ended in them.

        Shapes:
            samples: (n,) at 16 kHz between -1 and 1.
        """
        self._held = np.concatenate([self._held, samples])
        begin = self._frames * FRAME - self._first
        whole = self._held[begin:][: (len(self._held) - begin) // FRAME * FRAME].reshape(-1, FRAME)
        levels = 10 * np.log10(whole.var(1, dtype=np.float64) + _POWER)
        found = [one for level in levels.tolist() for one in self._look(level)]
        self._forget()
        return found

    def finish(self) -> list[Utterance]:
        """End the signal and return the utterance that had not ended, if there is one."""
        return self._end(min(self._frames, self._voice + 1 + PAD)) if self.speaking else []

    def _look(self, level: float) -> list[Utterance]:
        """Look at the next frame."""
        number, self.level = self._frames, level
        self._frames += 1
        self._history.append(level)
        if len(self._history) < YOUNGEST:
            self.floor = LOWEST
        else:
            place = int(SHARE * len(self._history))
            self.floor = max(LOWEST, next(islice(sorted(self._history), place, None)))
        if not self.speaking:
            self._above = self._above + 1 if level > self.floor + BEGIN else 0
            if self._above < RISE:
                return []
            onset = number - RISE + 1
            self._start(max(onset - PAD, self._earliest), onset)
        if level > self.floor + LAST:
            self._voice, self._loudest = number, max(self._loudest, level)
        if number - self._voice >= PAUSE:
            return self._end(self._voice + 1 + PAD)
        if number + 1 - self._begin >= LONGEST:
            found = self._end(number + 1)
            self._start(number + 1, number + 1)
            return found
        return []

    def _start(self, begin: int, onset: int) -> None:
        self.speaking, self._begin, self._onset, self._voice, self._loudest = True, begin, onset, onset, LOWEST

    def _end(self, end: int) -> list[Utterance]:
        """End the utterance before the frame ``end``; none that is too short, or no louder than the noise around it."""
        self.speaking, self._above, self._earliest = False, 0, end
        if self._voice + 1 - self._onset < SHORTEST or self._loudest <= self.floor + BEGIN:
            return []
        start, stop = self._begin * FRAME, end * FRAME
        return [Utterance(start, self._held[start - self._first : stop - self._first].copy())]

    def _forget(self) -> None:
        """Drop what no utterance will contain."""
        needed = self._begin if self.speaking else max(self._frames - RISE - PAD, self._earliest)
        drop = max(0, min(needed * FRAME - self._first, len(self._held)))
        self._held, self._first = self._held[drop:], self._first + drop
