"""Everything that can go wrong for a user: one class per kind, each with its own exit code.

A message is one line that says what is wrong, where, and what to do. The command line prints it without a
traceback and leaves with ``exit_code``. 1 and 2 stay free: Python and Click use them.
"""


class ReplicateError(Exception):
    """Base of all errors that a user can cause or repair."""

    exit_code = 3


class UnknownCorpus(ReplicateError):
    """The corpus asked for has no such name, or its files are not there."""

    exit_code = 10


class NotThisFormat(ReplicateError):
    """A file is not what its name or place says it is."""

    exit_code = 11


class UnsafePickle(ReplicateError):
    """A pickle names something that reading features never needs; nothing of it was executed."""

    exit_code = 12


class NonFinite(ReplicateError):
    """Features hold NaN or infinity."""

    exit_code = 13


class WrongWidth(ReplicateError):
    """A feature stream has not the number of columns it must have."""

    exit_code = 14


class OutOfRange(ReplicateError):
    """A label or a speaker is not one of the corpus's."""

    exit_code = 15


class EmptyDialogue(ReplicateError):
    """A dialogue, or a whole corpus or split, holds nothing."""

    exit_code = 16


class BadName(ReplicateError):
    """A name in a corpus is empty, too long, repeated, or holds characters that cannot be printed."""

    exit_code = 34


class LengthMismatch(ReplicateError):
    """Streams, speakers and labels of one dialogue disagree about its number of utterances."""

    exit_code = 17


class SplitOverlap(ReplicateError):
    """A dialogue appears twice, or in two splits."""

    exit_code = 18


class MissingStream(ReplicateError):
    """The corpus lacks a feature stream, a split, or classes, without which the arm cannot be trained."""

    exit_code = 19


class UnknownTable(ReplicateError):
    """No table of that name exists."""

    exit_code = 20


class InvalidDefinition(ReplicateError):
    """An arm, a table, a protocol or a claim has an unknown key or an impossible value, or lacks one."""

    exit_code = 21


class BadSeeds(ReplicateError):
    """Seeds that are no numbers, repeat, or are none."""

    exit_code = 22


class DownloadFailed(ReplicateError):
    """A file could not be fetched."""

    exit_code = 23


class HashMismatch(ReplicateError):
    """A fetched file is not the one that was published."""

    exit_code = 24


class DiskFull(ReplicateError):
    """No room is left where a result has to be written."""

    exit_code = 25


class CannotWrite(ReplicateError):
    """A place cannot be written to or read from."""

    exit_code = 26


class CorruptRun(ReplicateError):
    """A stored run is not what was written."""

    exit_code = 27


class WorkerDied(ReplicateError):
    """A parallel worker was killed from outside, most often for want of memory."""

    exit_code = 28


class Diverged(ReplicateError):
    """The training loss became NaN or infinite."""

    exit_code = 29


class ParityFailed(ReplicateError):
    """Two implementations that must agree do not."""

    exit_code = 30


class NothingToExport(ReplicateError):
    """No finished speech-only run, or no exported model, where one was looked for."""

    exit_code = 31


class ExportFailed(ReplicateError):
    """The exported model does not compute what the trained one does."""

    exit_code = 32


class MissingDevice(ReplicateError):
    """The device asked for is not on this machine."""

    exit_code = 33


class UnknownRun(ReplicateError):
    """No run in the store has the key that was asked for, or several begin like it."""

    exit_code = 35


class BadBundle(ReplicateError):
    """An exported bundle is not as it was written, or the folder is none."""

    exit_code = 36


class BadInput(ReplicateError):
    """Features to predict from that the model cannot take."""

    exit_code = 37


class MissingEngine(ReplicateError):
    """What trains on a cluster is not installed, or the cluster does not answer."""

    exit_code = 38


class WrongTeacher(ReplicateError):
    """A student's teacher was trained on another corpus, or under another reading of the paper."""

    exit_code = 40


class MissingExtra(ReplicateError):
    """What the command needs is an optional part of the package that is not installed."""

    exit_code = 41


class BadAudio(ReplicateError):
    """A recording is missing, cannot be read, or holds nothing to extract features from."""

    exit_code = 42


class BadSource(ReplicateError):
    """A list of utterances or segments is broken, or does not fit its recordings."""

    exit_code = 43


class OtherCounts(ReplicateError):
    """A copy of the IEMOCAP release has not the known number of dialogues or utterances."""

    exit_code = 44


class BadModel(ReplicateError):
    """A speech model is none, cannot be fetched, or lacks the layer that was asked for."""

    exit_code = 45


class NoMatch(ReplicateError):
    """Two corpora do not hold the same utterances."""

    exit_code = 46


class TooLittleMemory(ReplicateError):
    """The memory of the processor or the GPU does not suffice for what is computed at once."""

    exit_code = 47


class OtherFeatures(ReplicateError):
    """A model was trained on features of another kind, or on such that came without a way to extract them."""

    exit_code = 48


class BadPlugin(ReplicateError):
    """A user's own module, or an installed plugin, cannot be imported or takes a name that another one has."""

    exit_code = 49


class BadShare(ReplicateError):
    """A share of the task list is not written K/N with K from 1 to N."""

    exit_code = 39


INTERRUPTED_EXIT_CODE = 130
