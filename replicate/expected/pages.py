"""Expected pages: the tables that other commands than ``replicate run`` wrote for docs/results/.

Such a page does not say on which machine it was made. It is judged as made on this one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from replicate.errors import NoExpected, NotThisFormat
from replicate.expected import model, printed
from replicate.expected.choose import packaged
from replicate.expected.findings import Finding, Report, Rule
from replicate.expected.judge import no_more_tables, printed_cells, printed_numbers
from replicate.expected.lines import text_of
from replicate.expected.model import ExpectedGrid, ExpectedPage
from replicate.expected.tolerance import tolerance
from replicate.experiment.manifest import installed_versions
from replicate.limits import shown
from replicate.machine import processor
from replicate.records import check_names, check_range

# Below the folder of the expected results.
FOLDER = "pages"
RULE = (
    "a mean over n seeds: as in results folders, where its deviation is printed; a share with its standard error: "
    "1.96 * sqrt(2) of that; a time: not judged, because no second run repeats it"
)
_REMEDY = "give a page that `make results` wrote"
_TWO_SAMPLES = 1.96 * 2**0.5


@dataclass(frozen=True)
class ExpectedPages:
    """The pages of one entry of docs/measured.toml.

    Attributes:
        entry: its name. seeds: over how many means with a deviation are. times: whether the numbers are times.
        labels: how many of the first columns name a line.
        processor, commit, versions: where the pages were made, empty if that was not recorded.
        rule: of tolerances, in words.
    """

    format: int
    entry: str
    processor: str
    commit: str
    versions: dict[str, str]
    seeds: int
    labels: int
    times: bool
    rule: str
    pages: tuple[ExpectedPage, ...]

    def __post_init__(self) -> None:
        check_names(self, "entry", "processor", "commit", "versions")
        check_range(self, 0, 10**6, "seeds", "labels")

    def differences(self) -> list[str]:
        """Return why a page that is made on this machine need not be equal, in words."""
        here = installed_versions()
        found = [f"another version of {name}" for name, version in self.versions.items() if here.get(name) != version]
        if not self.processor:
            return ["the processor of the expected page is not recorded", *found]
        return [*(["another processor"] if self.processor != processor() else []), *found]


def expected(path: Path, seeds: int) -> ExpectedPage:
    """Return what a page like this one should hold; means with a deviation are over ``seeds`` seeds."""
    found = printed.markdown(text_of(path))
    grids = []
    for grid in found.grids:
        allowed = tuple(tuple(_tolerance(cell, seeds) for cell in line) for line in grid.lines)
        grids.append(ExpectedGrid(grid.titles, grid.lines, allowed))
    return ExpectedPage(path.stem, tuple(grids), tuple(found.numbers()))


def _tolerance(cell: str, seeds: int) -> float | None:
    """Return how far a printed cell may be off: in percent for a share, and None where nothing is known."""
    share, mean = printed.share_of(cell), printed.mean_of(cell)
    if share:
        return round(_TWO_SAMPLES * share[1], 3)
    found = tolerance(mean[1], seeds) if mean and seeds else None
    return None if found is None else round(found, 9)


def check(path: Path, against: Path | None = None) -> Report:
    """Compare the tables of a page with expected ones: a page that the same entry of docs/measured.toml wrote.

    Args:
        against: an expected file; by default the one that has a page of this name.

    Raises:
        NoExpected: there is none. ExpectedEdited: see ``replicate.expected.model.read``.
        NotThisFormat: the page is missing, or is no text of limited size.
    """
    if not path.is_file():  # a pipe is waited for
        raise NotThisFormat(f"there is no page {path}: {_REMEDY}")
    files = list(model.files(packaged() / FOLDER)) if against is None else [against]
    for file in files:
        known = model.read(file, ExpectedPages)
        page = next((each for each in known.pages if each.name == path.stem), None)
        if page is not None:
            return _report(path, file, known, page)
    where = "docs/results/expected/pages/" if against is None else str(against)
    raise NoExpected(f"{where} has no page called {shown(path.name)}: {_REMEDY}")


def _report(path: Path, file: Path, known: ExpectedPages, page: ExpectedPage) -> Report:
    why = tuple(known.differences())
    rule: Rule = "interval" if why else "equality"
    notes = [f"judged as made on this machine, by the entry {shown(known.entry)} of docs/measured.toml"]
    if not known.commit:
        notes.append("the commit of the expected page is not recorded")
    if not model.is_listed(file):
        notes.append(f"{file} is in no index: nothing vouches for it")
    return Report(str(path), str(file), rule, why, tuple(notes), tuple(findings(path, known, page, rule)))


def findings(path: Path, known: ExpectedPages, page: ExpectedPage, rule: Rule) -> Iterator[Finding]:
    """Yield a finding for every printed cell, and by equality for the numbers in sentences.

    Raises:
        NotThisFormat: the page cannot be read.
    """
    found = printed.markdown(text_of(path, _REMEDY))
    for i, grid in enumerate(page.grids):
        other = found.grids[i] if i < len(found.grids) else None
        yield from printed_cells(page.name, grid, other, rule, labels=known.labels, every_number_is_a_time=known.times)
    if rule == "equality" and not known.times:
        yield from printed_numbers(page.name, page.numbers, tuple(found.numbers()))
        yield from no_more_tables(page.name, page.grids, found)
