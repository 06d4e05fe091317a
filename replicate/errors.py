"""Errors that a user can cause or repair: one class per kind, printed as ``error (unknown corpus): message``.

A message is one line: what is wrong, where (file and key), and what to do. The command line prints it without a
traceback and exits with 1, or with 3 where a check that was requested failed; 2 is a usage error, 130 an interrupt.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar

INTERRUPTED_EXIT_CODE = 130
# A message may quote names from a file, which may be as long as the file.
LONGEST_MESSAGE = 3_000


class ReplicateError(Exception):
    """Base of all errors that a user can cause or repair."""

    exit_code: ClassVar[int] = 1
    kind: ClassVar[str] = "error"

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.kind = " ".join(re.findall(r"[A-Z][a-z0-9]*", cls.__name__)).lower()

    def __str__(self) -> str:
        text, half = super().__str__(), LONGEST_MESSAGE // 2
        return text if len(text) <= LONGEST_MESSAGE else f"{text[:half]} ... {text[-half:]}"


class CheckFailed(ReplicateError):
    """Base of the errors for checks and claims that were requested and do not hold."""

    exit_code = 3


# Checks and claims


class ParityFailed(CheckFailed):
    """The model differs from recorded outputs of the original code by more than the tolerance."""


class ExportFailed(CheckFailed):
    """The exported model does not compute what the trained model computes, or its files were changed."""


class DamagedRuns(CheckFailed):
    """Runs in a store are not as they were written."""


class ClaimFailed(CheckFailed):
    """A claim of the paper is not reproduced."""


class ResultsDiffer(CheckFailed):
    """Numbers of a results folder are not the expected ones, or its files do not agree with each other."""


class ExpectedEdited(CheckFailed):
    """A file of expected results is not the one whose hash the index has."""


# Corpora


class UnknownCorpus(ReplicateError):
    """There is no corpus of this name, or its files are missing."""


class NotThisFormat(ReplicateError):
    """The content of a file is not what its name promises."""


class TooLarge(ReplicateError):
    """A file is larger, or unpacks to more, than its kind may; or a corpus needs a model that is too large."""


class UnsafePickle(ReplicateError):
    """A pickle refers to a class or function that loading features never needs; nothing was executed."""


class NonFinite(ReplicateError):
    """Features contain NaN or infinity."""


class WrongWidth(ReplicateError):
    """A feature stream has the wrong number of columns."""


class OutOfRange(ReplicateError):
    """A label or speaker index is outside the corpus's list."""


class EmptyDialogue(ReplicateError):
    """A dialogue, split or corpus has no utterances."""


class BadName(ReplicateError):
    """A name in a corpus is empty, too long, repeated, or has characters that cannot be printed."""


class LengthMismatch(ReplicateError):
    """Streams, speakers and labels of one dialogue have different numbers of utterances."""


class SplitOverlap(ReplicateError):
    """A dialogue occurs twice, or in two splits."""


class MissingStream(ReplicateError):
    """The corpus lacks a feature stream that the arm needs for training."""


class MissingSplit(ReplicateError):
    """The corpus has no dialogue for train, dev or test, all of which training needs."""


class MissingClass(ReplicateError):
    """The corpus has a single class, where training needs two or more; or a part of its training split lacks one."""


class DownloadFailed(ReplicateError):
    """A file could not be downloaded."""


class HashMismatch(ReplicateError):
    """A downloaded file differs from the published one."""


class MissingText(ReplicateError):
    """Utterances have no transcript."""


class UnexpectedCounts(ReplicateError):
    """A copy of the IEMOCAP release has an unexpected number of dialogues or utterances."""


class NoMatch(ReplicateError):
    """Two corpora do not have the same utterances."""


# Definitions and options


class UnknownTable(ReplicateError):
    """There is no table of this name."""


class InvalidDefinition(ReplicateError):
    """An arm, table, protocol or claim has an unknown key, an impossible value, or lacks a key."""


class InvalidArgument(ReplicateError, ValueError):
    """An argument of the Python API has an impossible value, or names something that does not exist."""


class BadSeeds(ReplicateError):
    """Seeds are not numbers, are repeated, or there are none."""


class BadFolds(ReplicateError):
    """There is no such way to make folds, or the corpus does not tell who speaks where."""


class BadShare(ReplicateError):
    """A share of the task list is not written K/N with K from 1 to N."""


class BadPlugin(ReplicateError):
    """A plugin cannot be imported, registers a name that is already registered, or returns what it must not."""


class MissingDevice(ReplicateError):
    """The requested device is not on this machine."""


class CannotLoad(ReplicateError):
    """A package cannot be imported: an environment variable that it reads is wrong, or its files are damaged."""


class MissingExtra(ReplicateError):
    """The command needs an optional part of the package that is not installed."""


class MissingEngine(ReplicateError):
    """Ray is not installed, or the cluster does not answer."""


# Training and storage


class DiskFull(ReplicateError):
    """No space is left where a result must be written."""


class CannotWrite(ReplicateError):
    """A file or folder cannot be written or read."""


class CorruptRun(ReplicateError):
    """A saved run is missing, or is not as it was written."""


class UnknownRun(ReplicateError):
    """No run in the store has this key, or several keys begin with it."""


class WrongTeacher(ReplicateError):
    """A student's teacher was trained on another corpus or with another protocol."""


class OtherFormat(ReplicateError):
    """A run or a manifest is in a format that this version does not read; its file is left alone."""


class OldFormat(OtherFormat):
    """A run or a manifest was written by an older version."""


class NewerFormat(OtherFormat):
    """A run or a manifest was written by a newer version."""


class TrainingFailed(ReplicateError):
    """Training raised an exception in some of the runs; all other runs are complete."""


class WorkerDied(ReplicateError):
    """A worker process was killed from outside, usually because memory ran out."""


class Diverged(ReplicateError):
    """The training loss became NaN or infinite."""


class TooLittleMemory(ReplicateError):
    """The memory of the CPU or GPU is too small for one batch of the computation."""


# Export and prediction


class NotMeasured(ReplicateError):
    """No claim has all of its cells among the results, or no expected cell is there: there is nothing to check."""


class NoExpected(ReplicateError):
    """There are no expected results for this folder, or they are of another corpus."""


class NothingToMeasure(ReplicateError):
    """The results have no table whose models are timed."""


class NothingToExport(ReplicateError):
    """There is no complete speech-only run, or no exported model, in this folder."""


class NotExportable(ReplicateError):
    """This model cannot be written as ONNX, or not in the requested form."""


class BadBundle(ReplicateError):
    """A folder is not an exported bundle, or its files were changed."""


class BadInput(ReplicateError):
    """The model cannot take these features."""


class IncompatibleFeatures(ReplicateError):
    """The model was trained on features that cannot be extracted from recordings here."""


# Recordings


class BadAudio(ReplicateError):
    """A recording is missing, cannot be decoded, or is too short or silent."""


class BadSource(ReplicateError):
    """A list of utterances or segments is malformed, or does not fit its recordings."""


class BadModel(ReplicateError):
    """A pretrained speech model cannot be loaded or downloaded, or lacks the requested layer."""
