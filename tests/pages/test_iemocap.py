"""The page on IEMOCAP runs as it is written, on speech made on the spot in the release's layout."""

from pathlib import Path

import pytest

from replicate.corpus import load
from replicate.features import iemocap
from tests.recordings import give_voices, save_hubert, write_published, write_release

from .conftest import QUICKLY


@pytest.mark.slow
def test_with_your_own_iemocap_licence(perform, tmp_path, monkeypatch):
    release = give_voices(write_release(tmp_path / "IEMOCAP_full_release"))
    write_published(release, tmp_path / "data" / "iemocap4" / "IEMOCAP_features_4.pkl")
    monkeypatch.setenv("REPLICATE_DATA", str(tmp_path / "data"))
    # The published features have utterances to which the release gives no label.
    evaluations = release / "Session1/dialog/EmoEvaluation/Ses01F_impro00.txt"
    evaluations.write_text(evaluations.read_text().replace("\thap\t", "\txxx\t"))
    # The release in small: everything else is as in the whole one.
    monkeypatch.setattr(iemocap, "COUNTS", (19, *(20,) * 5))
    monkeypatch.setattr(iemocap, "RELEASE_DIALOGUES", 20)
    save_hubert(tmp_path / "hubert", "layer")
    printed = perform("iemocap.md", HUBERT="hubert", PROFILE=QUICKLY)
    assert load("iemocap.npz").widths == {"audio": 100, "visual": 512, "text": 100} | dict.fromkeys(
        ("hubert", "hubert-second-to-last"), 16
    )
    tables = next(text for command, text in printed.items() if command.startswith("run table4"))
    assert "needs" not in tables
    for name in ("table4", "table5", "hubert"):
        assert f"{name} on iemocap4: " in tables
    rows = Path("timeline.csv").read_text().splitlines()
    assert len(rows) == 20 * 4 and rows[1].startswith("Ses01F_impro00,1,M,1.500,")
