"""No method may win on the negative control: its privileged stream is noise, see ``replicate.corpus.synthetic``."""

from __future__ import annotations

from pathlib import Path

import pytest

import replicate
from replicate.config import folders

# Half of the epochs of the profile quick, from the same seeds.
PROFILE = """
[half]
corpus = "synthetic-null-small"
seeds = [24, 25, 26, 27, 28, 29, 30, 31, 32, 33]
epochs = 12
batch = 8
learning_rate = 6e-4
weight_decay = 1e-8
feed_forward = 512
"""
METHODS = ("COGMEN-AV/A", "COGMEN-AV/AV", "COGMEN-Mask/A", "COGMEN-Mask/AV", "Student-of-Mask/A")
TABLE = """
title = "Methods against COGMEN-A"
source = "not in the paper"
in_paper = false
contexts = ["A", "AV"]
compare = [{pairs}]
{rows}
"""


@pytest.fixture
def definitions(tmp_path: Path) -> Path:
    """A folder with the profile and the table ``methods``."""
    arms = dict.fromkeys(["COGMEN-A", *(method.partition("/")[0] for method in METHODS)])
    pairs = ", ".join(f'["{method}", "COGMEN-A/A"]' for method in METHODS)
    rows = "\n".join(f'[[rows]]\nname = "{arm}"\narm = "{arm}"' for arm in arms)
    (tmp_path / "profiles.toml").write_text(PROFILE)
    (tmp_path / "methods.toml").write_text(TABLE.format(pairs=pairs, rows=rows))
    return tmp_path


@pytest.mark.slow
def test_no_method_beats_cogmen_a_on_the_negative_control(definitions: Path) -> None:
    try:
        found = replicate.table(
            "methods", profile="half", results=definitions, config_dirs=definitions, jobs=2, progress=False
        )
    finally:
        folders.use(())
    assert found.control == "negative" and len(found.comparisons) == len(METHODS)
    # Trained far enough that there is something to win: the most frequent class alone has an F1 of about 0.2.
    baseline = found.rows["COGMEN-A"]["A"].summary.mean
    assert baseline > 0.6
    won = [each for each in found.comparisons if each.difference.mean > 0 and (each.p_holm or 0) <= 0.05]
    assert not won, [(each.first, each.difference.mean, each.p_holm) for each in won]
