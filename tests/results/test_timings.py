"""The file of times at inference."""

import pytest

from replicate.errors import NewerFormat, NotThisFormat
from replicate.results.resources import Resources
from replicate.results.timings import FORMAT, TIMINGS, Timing, Timings

MODEL = Resources("abc", 6, 1000, 1e6, 4000)
TIMES = Timings(FORMAT, None, "2.0", 200, (Timing("abc", 6, 1.5, 2.0), Timing("abc", 7, 3.0, 4.0)))


def test_times_are_found_by_model_and_length(tmp_path):
    assert Timings.find(tmp_path) is None
    TIMES.save(tmp_path)
    found = Timings.find(tmp_path)
    assert found == TIMES and found.of(MODEL) == TIMES.timings[0]
    assert found.of(Resources("abc", 8, 1000, 1e6, 4000)) is None and found.of(Resources("x", 6, 1, 1, 1)) is None


@pytest.mark.parametrize(
    ("content", "error"),
    [("{", NotThisFormat), ("[]", NotThisFormat), ('{"format": 1}', NotThisFormat), ('{"format": 9}', NewerFormat)],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path, content, error):
    (tmp_path / TIMINGS).write_text(content)
    with pytest.raises(error, match=TIMINGS):
        Timings.find(tmp_path)
