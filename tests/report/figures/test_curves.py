"""Learning curves."""

from replicate.report.figures import curves

from .made import FRAME, panel, run


def test_curves_are_means_and_bands_over_seeds_with_the_chosen_epochs():
    keys = ("train_loss", "dev_loss", "dev_f1")
    seeds = [
        run([0], [0], [dict.fromkeys(keys, value) for value in values], best)
        for values, best in (((3.0, 2.0, 1.0), 3), ((5.0, 2.5, 2.0), 1))
    ]
    assert curves.values(seeds, "dev_loss").tolist() == [[3.0, 2.0, 1.0], [5.0, 2.5, 2.0]]
    figure = curves.draw([panel(*seeds), panel(*seeds)], FRAME)
    assert [axis.get_ylabel() for axis in figure.axes[::2]] == ["train loss", "dev loss", "dev weighted F1"]
    for axis in figure.axes:
        mean, best = axis.lines
        assert (mean.get_xdata().tolist(), mean.get_ydata().tolist()) == ([1, 2, 3], [4.0, 2.25, 1.5])
        assert (best.get_xdata().tolist(), best.get_ydata().tolist()) == ([3, 1], [1.0, 5.0])
        (band,) = axis.collections
        assert {tuple(point) for point in band.get_paths()[0].vertices} == {
            *((1, 3), (2, 2), (3, 1)),
            *((1, 5), (2, 2.5), (3, 2)),
        }
