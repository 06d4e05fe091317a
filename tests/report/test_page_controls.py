"""The page of a corpus of generated features."""

from dataclasses import replace

from .builders import claim, result
from .test_page import written


def test_the_banner_and_the_claims_of_a_control(tmp_path):
    made = result(corpus="synthetic-tiny", notes=("a fact",), published_for="", control="positive")
    judged = [
        replace(claim(number, text, outcome, True), control="positive")
        for number, text, outcome in ((3, "a", "found as built"), (4, "b", "missed"), (6, "c", "not built in"))
    ]
    found = written(tmp_path, [made], judged)
    assert found.all("aside")[0][1] == "Self-test on the positive control A fact."
    assert found.all("h2")[0][1] == "Self-test on the positive control synthetic-tiny"
    assert "1 found as built, 1 missed, 1 not built in." in found.words
    assert [words for _, words in found.all("h3", "claims")] == [
        *("3. a ✓ found as built", "4. b ✗ missed", "6. c – not built in")
    ]
    assert "paper" not in found.grids("claim-3")[0][0]
    assert "IEMOCAP-4, paper" not in found.words
