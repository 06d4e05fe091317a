"""Confusion matrices: counts, shares, and how they are drawn."""

import xml.etree.ElementTree as ET

import numpy as np
from sklearn.metrics import confusion_matrix

from replicate import plotting
from replicate.report.figures import confusion

from .made import FRAME, NAMES, panel, run, scores


def test_counts_have_true_classes_in_rows_and_predicted_ones_in_columns():
    labels, predicted = [0, 0, 0, 0, 1, 1], [0, 0, 0, 2, 0, 1]
    found = confusion.counts(labels, scores(predicted), 3)
    assert found.tolist() == [[3, 0, 1], [1, 1, 0], [0, 0, 0]]
    assert found.tolist() == confusion_matrix(labels, predicted, labels=range(3)).tolist()


def test_shares_are_of_the_true_class():
    found = confusion.shares(np.array([[3, 0, 1], [1, 1, 0], [0, 0, 0]]))
    assert found.tolist() == [[0.75, 0, 0.25], [0.5, 0.5, 0], [0, 0, 0]]


def test_counts_of_all_seeds_are_summed_each_with_the_labels_of_its_own_run():
    first, second = run([0, 0, 1], [0, 1, 1]), run([2, 0, 1], [2, 0, 0])
    assert confusion.summed(panel(first, second)).tolist() == [[2, 1, 0], [1, 1, 0], [0, 0, 1]]


def test_a_matrix_shows_counts_and_shares_in_the_order_of_the_classes():
    figure = confusion.draw([panel(run([0, 0, 0, 0, 1, 1], [0, 0, 0, 2, 0, 1])), panel(run([0, 1], [1, 1]))], FRAME)
    first, second = figure.axes
    assert [text.get_text() for text in first.texts] == [
        *("3\n75 %", "0\n0 %", "1\n25 %"),
        *("1\n50 %", "1\n50 %", "0\n0 %"),
        *("0\n–", "0\n–", "0\n–"),
    ]
    assert first.images[0].get_array().tolist() == [[0.75, 0, 0.25], [0.5, 0.5, 0], [0, 0, 0]]
    for axis in (first, second):
        assert [text.get_text() for text in axis.get_xticklabels()] == list(NAMES)
    assert [text.get_text() for text in first.get_yticklabels()] == list(NAMES)
    assert first.get_ylim() == (2.5, -0.5)  # the first class on top
    assert (first.get_ylabel(), first.get_xlabel()) == ("true class", "predicted class")
    assert first.get_title() == "Some arm\nweighted F1 0.500 (1 seed)"


def test_black_numbers_stand_out_on_every_shade_and_more_is_darker_in_grey():
    figure = confusion.draw([panel(run([0], [0]))], FRAME)
    colours = figure.axes[0].images[0].to_rgba(np.linspace(0, 1, 101))[:, :3]
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    luminance = linear @ (0.2126, 0.7152, 0.0722)
    assert ((luminance + 0.05) / 0.05).min() > 6
    assert (np.diff(luminance) < 0).all() and luminance[0] > 0.9


def test_names_that_look_like_formulas_or_are_very_long():
    names = ("$x^$", "a_b & <c>", "the longest name of an emotion there is, number 1")
    with plotting.style("any"):
        content = plotting.render(confusion.draw([panel(run([0], [0]), names=names)], FRAME))
    assert b"$x^$" in content["svg"]
    ET.fromstring(content["svg"])
    assert plotting.short(names[2]) == "the lon…mber 1" and plotting.short("frustrated") == "frustrated"
