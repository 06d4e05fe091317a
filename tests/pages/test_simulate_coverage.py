"""The simulation of docs/statistics.md: what it draws, and that its table holds what the intervals promise."""

import re
import sys
from dataclasses import replace

import numpy as np
import pytest

from docs import simulate_coverage
from docs.simulate_coverage import (
    CLASSES,
    LONG,
    SEEDS,
    SHORT,
    STRENGTH,
    TABLE,
    WEAKER,
    Design,
    coverage,
    designs,
    draw,
    simulated,
    table,
    weighted_f1,
)
from replicate import metrics


def lines():
    """The lines of the table that is in docs/results/, as lists of cells."""
    found = TABLE.read_text(encoding="utf-8").splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in found if line.startswith("|")][2:]


def test_every_design_has_its_line():
    assert len(lines()) == len(list(designs()))
    for design, line in zip(designs(), lines(), strict=True):
        assert [line[0], line[2], line[3]] == [design.name, design.population.name, str(design.seeds)]


def test_with_ten_seeds_the_table_holds_what_is_promised():
    for line in lines():
        held, error = (float(each) / 100 for each in re.findall(r"([\d.]+)%", line[5]))
        if int(line[3]) == SEEDS:
            assert 0.93 - 2 * error <= held <= 0.97 + 2 * error, line
            if line[8] != "–":
                assert 1 - held == pytest.approx(float(line[8].rstrip("%")) / 100, abs=1.1e-3)  # rounded
                assert 1 - held <= 0.06 + 2 * error, line
        assert held >= 0.93 - 2 * error, line


def test_the_score_is_the_one_of_the_package():
    confusion = np.random.default_rng(0).integers(0, 5, (3, 4, CLASSES, CLASSES)).astype(float)
    counts = np.concatenate([confusion.sum(-1), confusion.sum(-2), np.diagonal(confusion, axis1=-2, axis2=-1)], -1)
    whole = np.concatenate([confusion.reshape(3, 4, -1), np.zeros((3, 4, 3 * metrics.BINS))], -1)
    assert weighted_f1(counts) == pytest.approx(metrics.weighted_f1(whole))


@pytest.mark.parametrize(("population", "lengths"), [(LONG, (2, 76)), (SHORT, (14, 14))])
def test_arms_and_seeds_are_drawn_for_the_same_utterances(population, lengths):
    design = Design("d", population, 40, (STRENGTH, WEAKER), seeds=3)
    counts = draw(design, np.random.default_rng(0), 40)
    true, predicted, correct = np.moveaxis(counts.reshape(2, 3, 40, 3, CLASSES), 3, 0)
    assert (true == true[0, 0]).all() and (predicted.sum(-1) == true.sum(-1)).all()
    assert (correct <= np.minimum(true, predicted)).all()
    size = true[0, 0].sum(-1)
    assert lengths[0] <= size.min() and size.max() <= lengths[1]
    f1 = weighted_f1(counts.sum(2))
    assert f1[0].mean() > f1[1].mean()


def test_expected_counts_are_the_mean_of_drawn_ones():
    design = Design("d", SHORT, 300, (STRENGTH,), seeds=2)
    drawn, exact = (draw(design, np.random.default_rng(1), 300, each).sum(2) for each in (False, True))
    true = slice(0, CLASSES)
    assert drawn[..., true].tolist() == exact[..., true].tolist()
    assert drawn.sum() == pytest.approx(exact.sum(), rel=0.02)
    assert weighted_f1(drawn) == pytest.approx(weighted_f1(exact), abs=0.03)


@pytest.mark.parametrize(("shared", "df"), [(0.0, 2 * (SEEDS - 1)), (0.5, SEEDS - 1)])
def test_independent_seeds_and_pairs(shared, df):
    design = Design("d", SHORT, 12, (STRENGTH, STRENGTH), shared)
    found = simulated(design, np.random.default_rng(2))
    assert found.n == SEEDS and found.dialogues == 12
    assert found.by_seeds.df == df if shared else SEEDS - 1 < found.by_seeds.df <= df


def test_folds_add_their_dialogues():
    found = simulated(Design("d", SHORT, 6, (STRENGTH,), seeds=3, folds=5), np.random.default_rng(3))
    assert (found.n, found.dialogues) == (3, 30)


def test_the_table_in_words():
    design = Design("two arms", SHORT, 12, (STRENGTH, STRENGTH))
    found = coverage(design, 20)
    assert found.held + found.below + found.above == pytest.approx(1) and found.width > 0
    text = table([found, replace(found, design=replace(design, strengths=(STRENGTH, WEAKER), folds=5))])
    first, second = text.splitlines()[2:4]
    assert first.startswith(f"| two arms | 0 | {SHORT.name} | {SEEDS} | 12 | {found.held:.1%} ± {found.error:.1%} |")
    assert first.endswith(f"| {found.below + found.above:.1%} |") and second.endswith("| – |")
    assert f"| {SEEDS} | 5 × 12 |" in second and "20 repetitions" in text


def test_the_command_writes_where_it_is_told(tmp_path, monkeypatch):
    design = Design("two arms", SHORT, 12, (STRENGTH, STRENGTH))
    monkeypatch.setattr(simulate_coverage, "designs", lambda: [design])
    monkeypatch.setattr(sys, "argv", ["simulate_coverage", "--repetitions", "3", "--out", str(tmp_path / "a" / "b.md")])
    before = TABLE.read_bytes()
    simulate_coverage.main()
    assert (tmp_path / "a" / "b.md").read_text(encoding="utf-8") == table([coverage(design, 3)])
    assert TABLE.read_bytes() == before


@pytest.mark.slow
@pytest.mark.parametrize("population", [LONG, SHORT], ids=["long", "short"])
@pytest.mark.parametrize(("name", "shared"), [("two arms", 0.0), ("one arm in two contexts", 0.7)])
def test_the_table_is_what_the_simulation_gives(population, name, shared):
    design = Design(name, population, 12, (STRENGTH, STRENGTH), shared)
    assert design in list(designs())
    found = table([coverage(design)]).splitlines()[2]
    assert found in TABLE.read_text(encoding="utf-8").splitlines()
