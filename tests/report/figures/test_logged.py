"""Values that a distillation method logs."""

import numpy as np

from replicate.report.figures import logged

from .made import FRAME, panel, run


def logging(*epochs):
    """A run whose method of distillation logged this."""
    return run([0], [0], [{"logged": each} for each in epochs])


def test_what_a_method_logs_is_drawn_by_epoch():
    first = logging({"chosen eye": 0.5, "chosen ear": 0.5, "nll": 3.0}, {"chosen eye": 1.0, "chosen ear": 0.0})
    second = logging({"chosen eye": 0.0, "chosen ear": 1.0}, {"chosen eye": 1.0})
    found = logged.values([first, second], "chosen ")
    assert list(found) == ["eye", "ear"] and found["eye"].tolist() == [[0.5, 1], [0, 1]]
    assert found["ear"][0].tolist() == [0.5, 0] and found["ear"][1][0] == 1 and np.isnan(found["ear"][1][1])
    each = panel(first, second, title="Which")
    each.prefix = "chosen "
    drawn = logged.draw([each, each, each], FRAME)
    axes = drawn.axes
    assert [axis.get_title() for axis in axes] == ["Which"] * 3 + [""]
    *of_eye, eye, _, _, ear = axes[0].lines  # both seeds, then their mean
    assert [line.get_ydata().tolist() for line in of_eye] == [[0.5, 1], [0, 1]]
    assert eye.get_ydata().tolist() == [0.25, 1] and ear.get_ydata().tolist() == [0.75, 0]
    assert eye.get_xdata().tolist() == [1, 2] and eye.get_marker() != ear.get_marker()
    assert [text.get_text() for text in drawn.legends[0].get_texts()] == ["eye", "ear"]
    assert axes[0].get_ylim() == (0, 1.02)
