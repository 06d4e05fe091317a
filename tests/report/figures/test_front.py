"""F1 against latency, size and memory of exported files."""

from types import SimpleNamespace

from replicate.report.figures import front
from replicate.results.deployments import Deployment

from .made import FRAME


def panel(title, series, *found):
    made = [Deployment("t", title, p, (), (dev,), (dev / 2,), p50, 9.0, mb, peak) for p, dev, p50, mb, peak in found]
    return SimpleNamespace(title=title, series=series, deployments=made)


def test_every_deployment_is_a_point_against_each_cost():
    panels = [
        panel("2048 x 4", "no teacher", ("fp32", 0.5, 2.0, 8.0, 70.0), ("int8", 0.25, 1.0, 2.0, None)),
        panel("2048 x 4", "distilled", ("fp32", 0.75, 3.0, 8.0, 70.0)),
        panel("128 x 1", "distilled", ("fp32", 0.125, 4.0, 1.0, 60.0)),
    ]
    figure = front.draw(panels, FRAME)
    *axes, key = figure.axes
    assert [axis.get_ylabel() for axis in axes] == ["F1 on dev", "", "", "F1 on test", "", ""]
    assert [axis.get_xlabel() for axis in axes[3:]] == list(front._ACROSS.values())
    points = [
        [(line.get_xdata()[0], line.get_ydata()[0]) for line in axis.lines if line.get_linestyle() == "None"]
        for axis in axes
    ]
    assert points[0] == [(2.0, 0.5), (1.0, 0.25), (3.0, 0.75), (4.0, 0.125)]
    assert points[4] == [(8.0, 0.25), (2.0, 0.125), (8.0, 0.375), (1.0, 0.0625)]
    assert points[2] == [(70.0, 0.5), (70.0, 0.75), (60.0, 0.125)]  # memory that could not be measured has no point
    first, hollow, other, last = (line for line in axes[0].lines if line.get_linestyle() == "None")
    assert first.get_markerfacecolor() == first.get_color() and hollow.get_markerfacecolor() == "none"
    assert first.get_marker() == other.get_marker() != last.get_marker()
    assert other.get_color() == last.get_color() != first.get_color()
    (line,) = (line for line in axes[0].lines if line.get_linestyle() == "-")
    assert list(zip(line.get_xdata(), line.get_ydata(), strict=True)) == [(1.0, 0.25), (2.0, 0.5), (3.0, 0.75)]
    names = [text.get_text() for text in key.get_legend().get_texts()]
    assert names == ["2048 x 4", "128 x 1", "no teacher", "distilled"]


def test_names_of_many_models_do_not_narrow_the_panels():
    panels = [panel(f"a model of width {i}", "distilled", ("fp32", 0.5, 2.0, 8.0, 70.0)) for i in range(9)]
    figure = front.draw(panels, FRAME)
    figure.draw_without_rendering()
    widths = [axis.get_position().width for axis in figure.axes[:-1]]
    assert max(widths) - min(widths) < 0.01 and min(widths) > 0.25
