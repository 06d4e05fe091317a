"""Find the expected results of a results folder, and check it against them."""

from __future__ import annotations

from pathlib import Path

import replicate
from replicate.errors import NoExpected, NotThisFormat, OtherFormat, ResultsDiffer
from replicate.expected import model
from replicate.expected.agreement import agreement
from replicate.expected.changes import changes, first_change, not_compared
from replicate.expected.conditions import Conditions, conditions
from replicate.expected.findings import Report, Rule
from replicate.expected.judge import judge
from replicate.expected.model import Expected
from replicate.limits import shown
from replicate.metrics import DEFAULT


def packaged() -> Path:
    """Return the folder of the expected files: in an installed package, or in docs/ of the checkout."""
    package = Path(replicate.__file__).parent
    installed = package / "_expected"
    return installed if installed.is_dir() else package.parent / "docs" / "results" / "expected"


def check(folder: Path, against: Path | None = None) -> Report:
    """Compare a results folder with expected results, and its files with each other.

    Args:
        against: an expected file; by default the one for the folder's corpus, profile and protocol.

    Raises:
        NoExpected: there is no such file, or it is of another corpus, protocol or profile. ExpectedEdited: see
            ``replicate.expected.model.read``. NotThisFormat, OldFormat, NewerFormat: the folder cannot be read.
        ResultsDiffer: instead of these, where a file of the folder was changed since it was written.
    """
    try:
        return _check(folder, against)
    except (NoExpected, NotThisFormat, OtherFormat) as error:
        change = first_change(folder)
        if change is None:
            raise
        raise ResultsDiffer(f"FAIL for {folder}, which cannot be judged: {change}; {error}") from error


def _check(folder: Path, against: Path | None) -> Report:
    own = conditions(folder)
    path, expected = find(folder, own, packaged()) if against is None else (against, model.read(against))
    require_alike(folder, own, path, expected)
    why = tuple(own.differences(expected.origin))
    rule: Rule = "interval" if why else "equality"
    same = rule == "equality" and own.training_seconds == expected.origin.training_seconds
    findings = (*judge(folder, expected, rule, same), *agreement(folder, own), *changes(folder, own.tables))
    notes, others = tuple(_notes(path, own, expected)), tuple(not_compared(folder, own.tables))
    return Report(str(folder), str(path), rule, why, notes, findings, others)


def find(folder: Path, own: Conditions, where: Path) -> tuple[Path, Expected]:
    """Return the expected file for a folder: the one with most of its tables, with the same seeds if there is one.

    Raises:
        NoExpected: there is none.
    """
    known: list[tuple[Path, Expected]] = [(path, model.read(path)) for path in model.files(where)]
    alike = [each for each in known if own.measured_alike(each[1].origin) and each[1].tables & {*own.tables}]
    if not alike:
        raise NoExpected(_why_none(folder, own, [expected for _, expected in known]))

    def fit(each: tuple[Path, Expected]) -> tuple[int, bool, int]:
        _, expected = each
        common = len(expected.tables & {*own.tables})
        return common, expected.origin.seeds == own.seeds, -len(expected.tables)

    return max(alike, key=fit)


def require_alike(folder: Path, own: Conditions, path: Path, expected: Expected) -> None:
    """Refuse expected results of another corpus, protocol or profile. Raises: NoExpected."""
    if own.corpus_hash != expected.origin.corpus_hash:
        raise NoExpected(
            f"{folder} is of corpus {_corpus(own)}, and {path} of {_corpus(expected.origin)}: their numbers cannot be "
            "compared"
        )
    if not own.measured_alike(expected.origin):
        raise NoExpected(
            f"{folder} is of {_words(own)}, and {path} of {_words(expected.origin)}: their numbers cannot be compared"
        )


def _why_none(folder: Path, own: Conditions, known: list[Expected]) -> str:
    named = sorted({_corpus(each.origin) for each in known if each.origin.corpus == own.corpus})
    if named and _corpus(own) not in named:
        return (
            f"no expected results for {folder}: its corpus is {_corpus(own)}, and they are of {', '.join(named)}; "
            "compare the features, or give a file with --against"
        )
    remedy = "give another file with --against"
    if own.metric != DEFAULT:
        remedy = f"show the metric of these with `replicate report --metric {DEFAULT}`, or {remedy}"
    return (
        f"no expected results for {folder}, which is of {_words(own)}: they exist for the folders of docs/results/; "
        f"{remedy}"
    )


def _corpus(found: Conditions) -> str:
    return f"{shown(found.corpus)} ({found.corpus_hash[:12]})"


def _words(found: Conditions) -> str:
    """Return what was measured, in words."""
    names = ("protocol", "profile", "folds", "metric", "privileged")
    words = [f"{name} {shown(getattr(found, name) or 'default')}" for name in names]
    return ", ".join([f"corpus {_corpus(found)}", *words])


def _notes(path: Path, own: Conditions, expected: Expected) -> list[str]:
    found = []
    if not model.is_listed(path):
        found.append(f"{path} is in no index: nothing vouches for it")
    if not own.same_code(expected.origin):
        found.append(f"the folder is of {own.code}, the expected results are of {expected.origin.code}")
    if own.clean is False:
        found.append(f"files were changed since {own.code} when the folder was trained")
    others = sorted({*own.tables} - expected.tables)
    if others:
        found.append(f"nothing is expected of {', '.join(map(shown, others))}")
    return found
