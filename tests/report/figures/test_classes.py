"""F1 of every class."""

import numpy as np
import pytest

from replicate.report.figures import classes

from .made import FRAME, NAMES, panel


def test_f1_by_class_has_means_deviations_and_seeds():
    figure = classes.draw([panel(by_class=((0.25, 0.5, 0.0), (0.75, 0.5, 0.5))), panel(title="Other")], FRAME)
    (axis,) = figure.axes
    first, second = axis.containers
    assert first.lines[0].get_ydata().tolist() == [0.5, 0.5, 0.25]
    deviations = [np.ptp(bar[:, 1]) / 2 for bar in first.lines[2][0].get_segments()]
    assert deviations == pytest.approx([0.125**0.5, 0, 0.125**0.5])
    assert second.lines[0].get_ydata().tolist() == [0.5, 0.25, 0.0] and not second.has_yerr  # one seed has no deviation
    assert [text.get_text() for text in axis.get_xticklabels()] == list(NAMES)
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["Some arm", "Other"]
    marks = [container.lines[0] for container in axis.containers]
    assert len({mark.get_marker() for mark in marks}) == len({mark.get_color() for mark in marks}) == 2
    # Seeds of the first cell: one line per class, the seeds side by side.
    seeds = [line.get_ydata().tolist() for line in axis.lines if line.get_markersize() < 3]
    assert seeds == [[0.25, 0.75], [0.5, 0.5], [0.0, 0.5]]
