from __future__ import annotations

from pathlib import Path

import pytest

from replicate.errors import BadSource
from replicate.features import folder as folders
from replicate.features.read import is_corpus
from tests.recordings import tone, write_wav


def test_the_table_decides_order_speakers_labels_and_splits(folder: Path) -> None:
    lines = (folder / "table.csv").read_text().splitlines()
    # Lines of the dialogues may interleave; the first of each decides their order.
    (folder / "table.csv").write_text("\n".join([lines[0], lines[4], lines[2], lines[1], lines[3], lines[5]]))
    found = folders.read(folder)
    assert (found.name, found.labels, found.speakers) == ("folder", ("happy", "sad"), ("M", "F"))
    assert (found.notes, found.problems) == ((), ())
    assert [(one.dialogue, one.name, one.speaker, one.label, one.split) for one in found.utterances] == [
        ("d2", "u3", "M", "happy", "test"),
        ("d2", "u4", "F", "sad", "test"),
        ("d1", "u1", "M", "happy", "train"),
        ("d1", "u0", "F", "sad", "train"),
        ("d1", "u2", "F", "sad", "train"),
    ]
    assert found.utterances[0].path == folder / "d2" / "u3.wav"


def test_label_and_split_are_optional(folder: Path) -> None:
    text = "\n".join(line.rsplit(",", 2)[0] for line in (folder / "table.csv").read_text().splitlines())
    (folder / "table.csv").write_text(text)
    found = folders.read(folder)
    assert found.labels == ("unlabelled",)
    assert {one.split for one in found.utterances} == {"test"}
    assert found.notes == (folders.NO_LABELS, folders.NO_SPLIT)


def test_files_without_a_line_and_lines_without_a_file_are_problems(folder: Path) -> None:
    (folder / "d1" / "u1.wav").rename(folder / "d1" / "x.FLAC")
    write_wav(folder / "d2" / "u0.wav", tone(0.1))
    (folder / "d1" / "._u7.wav").touch()
    found = folders.read(folder)
    assert [one.name for one in found.utterances] == ["u2", "u3", "u4"]
    words = [str(problem) for problem in found.problems]
    assert len(words) == 3
    assert "table.csv, line 2: d1/u0.wav and d2/u0.wav below" in words[0]
    assert "are both called u0: write the one that is meant with its folder, such as d1/u0" in words[0]
    assert "table.csv, line 3: no recording u1.wav or u1.flac" in words[1]
    assert f"{folder / 'd1' / 'x.FLAC'} has no line" in words[2]


BAD = {
    "dialogue,utterance,speaker\nd,u0,M\nd,u0,F": "line 3: utterance u0 is also in .*line 2: .*train/u0",
    "dialogue,utterance,speaker,split\nd,u0,M,validation": "split 'validation' of dialogue d",
    "dialogue,utterance,speaker,split\nd,u0,M,train\nd,u1,M,test": "line 3: split 'test' of dialogue d: a dialogue",
    "dialogue,utterance,speaker,split\nd,u0,M,train\nd,u1,M,": "line 3: split '' of dialogue d: a dialogue",
    "dialogue,utterance\nd,u0": "has no column speaker",
    "dialogue,utterance,speaker,label\nd,u0,M,sad\nd,u1,M,": "utterance u1 has no label",
}


@pytest.mark.parametrize("text", BAD)
def test_an_invalid_table_is_refused(text: str, folder: Path) -> None:
    (folder / "table.csv").write_text(text)
    with pytest.raises(BadSource, match=BAD[text]):
        folders.read(folder)


def test_the_table_is_the_only_csv_or_is_named(folder: Path) -> None:
    (folder / "table.csv").rename(folder / "b.csv")
    (folder / "a.csv").touch()
    with pytest.raises(BadSource, match="several CSV files: give the one"):
        folders.read(folder)
    assert len(folders.read(folder, folder / "b.csv").utterances) == 5
    with pytest.raises(BadSource, match="contains no CSV"):
        folders.read(folder / "d1")


def test_starts_put_utterances_in_order_of_time(folder: Path) -> None:
    lines = (folder / "table.csv").read_text().splitlines()
    starts = ["start", "4.5", "0", "2.25", "", ""]
    (folder / "table.csv").write_text("\n".join(f"{line},{start}" for line, start in zip(lines, starts, strict=True)))
    found = folders.read(folder).utterances
    assert [(one.name, one.at) for one in found] == [("u1", 0.0), ("u2", 2.25), ("u0", 4.5), ("u3", None), ("u4", None)]


@pytest.mark.parametrize(
    ("start", "words"), [("soon", "'soon' is not a time"), ("-1", "is not a time"), ("", "only some")]
)
def test_invalid_starts_are_refused(start: str, words: str, folder: Path) -> None:
    lines = (folder / "table.csv").read_text().splitlines()
    starts = ["start", "0", start, "2", "", ""]
    (folder / "table.csv").write_text("\n".join(f"{line},{start}" for line, start in zip(lines, starts, strict=True)))
    with pytest.raises(BadSource, match=words):
        folders.read(folder)


def test_the_same_name_in_each_split_is_told_apart_by_folders(tmp_path: Path) -> None:
    lines = ["dialogue,utterance,speaker,split"]
    for split in ("train", "dev", "test"):
        write_wav(tmp_path / split / "dia0_utt0.wav", tone(0.1))
        lines.append(f"{split}_dia0,{split}/dia0_utt0,M,{split}")
    (tmp_path / "table.csv").write_text("\n".join(lines))
    found = folders.read(tmp_path)
    assert found.problems == ()
    assert [one.path.parent.name for one in found.utterances] == ["train", "dev", "test"]
    (tmp_path / "table.csv").write_text("\n".join([*lines, "x,train\\dia0_utt0.wav,F,train"]))
    with pytest.raises(BadSource, match=r"line 5: .* as .*line 2 has it: remove one of the lines"):
        folders.read(tmp_path)


def test_columns_that_nothing_reads_are_a_warning(folder: Path) -> None:
    table = folder / "table.csv"
    table.write_text(table.read_text().replace("label,split", "emotion,set"))
    found = folders.read(folder)
    assert found.notes == (folders.NO_LABELS, folders.NO_SPLIT)
    assert found.warnings == (
        f"{table} has columns that are not used: 'emotion', 'set'; rename 'emotion' if it is the label; rename 'set' "
        "if it is the split",
    )


def test_hidden_files_are_no_tables(folder: Path) -> None:
    (folder / "._table.csv").write_bytes(b"\x00\x05\x16\x07")
    assert len(folders.read(folder).utterances) == 5


def test_what_predict_wrote_into_a_folder_is_no_table_of_it(folder: Path) -> None:
    for name in ("timeline.csv", "distance.csv"):
        (folder / name).write_text("dialogue,speaker\n")
    assert len(folders.read(folder).utterances) == 5
    (folder / "table.csv").unlink()
    assert not is_corpus(folder)
