"""Expected files: written, read, and refused once they were edited."""

from __future__ import annotations

import pytest

from replicate.errors import ExpectedEdited, NoExpected, ReplicateError
from replicate.expected import model
from replicate.expected.make import expected


def test_what_is_written_is_read(results, against):
    assert model.read(against) == expected(results, "made/smoke-paper")
    assert model.is_listed(against) and list(model.files(against.parent)) == [against]


def test_one_altered_digit_is_an_edited_file(against):
    against.write_text(against.read_text(encoding="utf-8").replace("0.5625", "0.5626", 1), encoding="utf-8")
    with pytest.raises(ExpectedEdited, match=r"was edited: its SHA-256 is not the one in index.json"):
        model.read(against)


@pytest.mark.parametrize("content", ["", "[]", '{"format": 1}', '{"format": 1, "cells": 3}'])
def test_a_malformed_file_is_refused_in_one_line(content, tmp_path):
    path = tmp_path / "one.json"
    path.write_text(content)
    with pytest.raises(ReplicateError) as found:
        model.read(path)
    assert "\n" not in str(found.value)


def test_no_file(tmp_path):
    with pytest.raises(NoExpected, match="there is no file"):
        model.read(tmp_path / "one.json")


def test_a_score_for_each_run(against):
    text = against.read_text(encoding="utf-8").replace('"seeds": ["24", "25"]', '"seeds": ["24"]')
    (against.parent / "other.json").write_text(text, encoding="utf-8")
    with pytest.raises(NoExpected, match="has not one 'weighted_f1' for each of its 1 runs"):
        model.read(against.parent / "other.json")
