"""Scores of some cells over those of others."""

from types import SimpleNamespace

from replicate.report.figures import scatter
from replicate.results.statistics import summarise

from .made import FRAME


def panel(title, up, across=(), series=""):
    def shown(values, context):
        result = SimpleNamespace(metric="weighted_f1")
        return SimpleNamespace(
            title=title, context=context, result=result, cell=SimpleNamespace(summary=summarise(values)), series=series
        )

    found = shown(up, "A")
    found.across = shown(across, "AV") if across else None
    return found


def test_points_are_means_with_deviations_and_baselines_are_lines():
    panels = [
        panel("none", [0.5, 0.7]),
        panel("10 %", [0.25, 0.75], [0.125, 0.375], "labels"),
        panel("50 %", [0.5], [0.75], "labels"),
        panel("100 %", [0.25, 0.25], [0.5, 0.5], "perfect"),
    ]
    (axis,) = scatter.draw(panels, FRAME).axes
    points = [(bar.lines[0].get_xdata()[0], bar.lines[0].get_ydata()[0]) for bar in axis.containers]
    assert points == [(0.25, 0.5), (0.75, 0.5), (0.5, 0.25)]
    assert [bar.has_yerr for bar in axis.containers] == [True, False, True]
    horizontal, vertical = [line for line in axis.lines if line.get_linestyle() == "--"]
    assert set(horizontal.get_ydata()) == set(vertical.get_xdata()) == {0.6}
    colours = [bar.lines[0].get_color() for bar in axis.containers]
    assert colours[0] == colours[1] != colours[2]
    assert [text.get_text() for text in axis.texts] == ["10 %", "50 %", "100 %"]
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["none", "labels", "perfect"]
    assert (axis.get_xlabel(), axis.get_ylabel()) == (
        "weighted F1 on test, AV inference",
        "weighted F1 on test, A inference",
    )
