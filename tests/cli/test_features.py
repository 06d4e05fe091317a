from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import tests.features  # noqa: F401  (first, since it skips where the extra is not installed)
from replicate import errors
from replicate.cli.features import features
from replicate.corpus import load
from replicate.features import acoustic, audio, smile
from tests.recordings import save_speech_encoder, tone, write_wav


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


Replicate = Callable[..., Any]


def test_opensmile_of_a_folder_whole_output(folder: Path, replicate: Replicate) -> None:
    status, stdout, stderr = replicate("features", "opensmile", folder, "--out", "out.npz")
    corpus = load("out.npz")
    assert status == 0
    assert stdout == f"out.npz: 2 dialogues, 5 utterances, hash {corpus.hash}\n"
    lines = stderr.splitlines()
    assert lines[0].startswith("audio: 100 % done; about ")
    assert lines[1:] == ["Next: replicate data info out.npz"]
    assert (corpus.name, corpus.labels, corpus.widths) == ("folder", ("happy", "sad"), {"audio": 88})
    assert corpus.recipes["audio"]["set"] == "eGeMAPSv02"
    samples = audio.load(folder / "d1" / "u2.wav")
    np.testing.assert_array_equal(corpus.dialogues[0].features["audio"][2], smile.Smile()([samples])[0])
    assert sorted(path.name for path in Path().iterdir()) == ["folder", "out.npz"]


def test_acoustic_functionals_of_a_folder(folder: Path, replicate: Replicate) -> None:
    status, stdout, stderr = replicate("features", "acoustic", folder, "--out", "out.npz")
    corpus = load("out.npz")
    assert (status, stdout) == (0, f"out.npz: 2 dialogues, 5 utterances, hash {corpus.hash}\n"), stderr
    assert (
        corpus.widths == {"audio": len(acoustic.columns())} and corpus.recipes["audio"]["version"] == acoustic.VERSION
    )
    samples = audio.load(folder / "d1" / "u2.wav")
    found = acoustic.AcousticExtractor()([samples])[0]
    np.testing.assert_array_equal(corpus.dialogues[0].features["audio"][2], found)


def test_columns_are_selected_on_the_training_split(folder: Path, replicate: Replicate) -> None:
    options = ("--set", "ComParE_2016", "--select", 7)
    assert replicate("features", "opensmile", folder, "--out", "out.npz", *options).status == 0
    corpus = load("out.npz")
    assert corpus.widths == {"audio": 7}
    assert len(corpus.recipes["audio"]["columns"]) == 7
    table = folder / "table.csv"
    table.write_text(table.read_text().replace("train", "test"))
    status, _, stderr = replicate("features", "opensmile", folder, "--out", "two.npz", *options)
    assert status == 1 and "error (bad source)" in stderr and "needs a training split" in stderr


def test_hubert_of_one_recording(hubert_layer: Path, tmp_path: Path, replicate: Replicate) -> None:
    write_wav(tmp_path / "talk.wav", tone(2.0, 44_100), 44_100)
    (tmp_path / "talk.rttm").write_text(
        "SPEAKER talk 1 0.1 0.5 <NA> <NA> A <NA> <NA>\nSPEAKER talk 1 0.7 1.0 <NA> <NA> B <NA> <NA>\n"
    )
    command = ("features", "hubert", "talk.wav", "--segments", "talk.rttm", "--model", hubert_layer, "--device", "cpu")
    assert replicate(*command, "--out", "out.npz", "--layer", "second-to-last").status == 0
    corpus = load("out.npz")
    assert (corpus.speakers, corpus.widths, corpus.dialogues[0].utterances) == (
        ("A", "B"),
        {"hubert": 16},
        ("talk_1", "talk_2"),
    )
    assert corpus.recipes["hubert"]["layer"] == "second-to-last"
    assert replicate(*command, "--out", "w.npz", "--layer", "weighted", "--layer-weights", "0,0,1,0").status == 0
    weighted = load("w.npz").dialogues[0].features["hubert"]
    np.testing.assert_allclose(weighted, corpus.dialogues[0].features["hubert"], rtol=0, atol=1e-6)


def test_any_encoder_as_a_stream_that_tables_read(folder: Path, tmp_path: Path, replicate: Replicate) -> None:
    model = ("--model", save_speech_encoder(tmp_path / "wavlm", "wavlm"), "--device", "cpu")
    assert replicate("features", "encoder", folder, *model, "--out", "w.npz").status == 0
    assert replicate("features", "encoder", folder, *model, "--stream", "wavlm", "--out", "other.npz").status == 0
    found, other = load("w.npz"), load("other.npz")
    assert (found.widths, other.widths) == ({"hubert": 16}, {"wavlm": 16})
    assert (found.recipes["hubert"]["extractor"], found.recipes["hubert"]["type"]) == ("encoder", "wavlm")
    np.testing.assert_array_equal(found.dialogues[0].features["hubert"], other.dialogues[0].features["wavlm"])
    merge = ("data", "merge", "other.npz", "w.npz", "--stream", "hubert", "--out", "both.npz")
    assert replicate(*merge).status == 0
    assert load("both.npz").widths == {"wavlm": 16, "hubert": 16}
    status, _, stderr = replicate("features", "encoder", folder, *model, "--stream", "\x1b[2J", "--out", "x.npz")
    assert status == 1 and stderr.startswith("error (bad name): ") and "\x1b" not in stderr


def test_the_alias_computes_what_encoder_does(folder: Path, hubert_layer: Path, replicate: Replicate) -> None:
    for command in ("hubert", "encoder"):
        options = ("--model", hubert_layer, "--device", "cpu", "--out", f"{command}.npz")
        assert replicate("features", command, folder, *options).status == 0
    alias, encoder = load("hubert.npz"), load("encoder.npz")
    assert (alias.hash, alias.recipes) == (encoder.hash, encoder.recipes)
    assert alias.recipes["hubert"]["extractor"] == "hubert"


def test_iemocap_then_merge(release: Path, hubert_layer: Path, replicate: Replicate) -> None:
    status, _, stderr = replicate("features", "opensmile", release, "--out", "a.npz")
    assert status == 1 and "error (unexpected counts)" in stderr and "20 dialogues instead of 151" in stderr
    allowed = (release, "--allow-other-counts", "--classes", "6")
    assert replicate("features", "opensmile", *allowed, "--out", "a.npz").status == 0
    model = ("--model", hubert_layer, "--device", "cpu")
    assert replicate("features", "hubert", *allowed, *model, "--out", "h.npz").status == 0
    assert replicate("data", "merge", "a.npz", "h.npz", "--stream", "hubert", "--out", "both.npz").status == 0
    corpus = load("both.npz")
    assert corpus.widths == {"audio": 88, "hubert": 16}
    assert set(corpus.recipes) == {"audio", "hubert"}
    assert [len(corpus.split(split)) for split in ("train", "dev", "test")] == [15, 1, 4]
    assert "20 frustrated instead of 1,849" in corpus.notes


def test_wrong_recordings_are_named_and_dropped_on_request(folder: Path, replicate: Replicate) -> None:
    (folder / "d1" / "u1.wav").unlink()
    (folder / "d2" / "u3.wav").write_bytes(b"no sound")
    write_wav(folder / "d2" / "u4.wav", np.zeros(4_000, np.float32))
    command = ("features", "opensmile", folder, "--out", "out.npz")
    status, stdout, stderr = replicate(*command)
    assert (status, stdout) == (1, "") and stderr.startswith("error (bad source): ")
    assert stderr.count("\n") == 1
    assert "no recording u1.wav" in stderr and "1 more problems" in stderr and "--drop" in stderr
    assert sorted(path.name for path in Path().iterdir()) == ["folder"]
    status, _, stderr = replicate(*command, "--drop")
    assert status == 0
    dropped = [line for line in stderr.splitlines() if line.startswith("dropped: ")]
    for line, words in zip(dropped, ("no recording u1", "u3.wav cannot be read", "u4.wav is silent"), strict=True):
        assert words in line
    corpus = load("out.npz")
    assert [dialogue.utterances for dialogue in corpus.dialogues] == [("u0", "u2")]
    assert "3 utterances or recordings with problems dropped" in corpus.notes


def test_features_extracted_before_a_failure_are_saved(
    folder: Path,
    replicate: Replicate,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sound = (folder / "d1" / "u1.wav").read_bytes()
    write_wav(folder / "d1" / "u1.wav", np.zeros(4_000, np.float32))
    command = ("features", "opensmile", folder, "--out", "out.npz")
    status, _, stderr = replicate(*command)
    assert status == 1 and "error (bad audio)" in stderr
    assert "run the same command again to resume" in stderr.splitlines()[-1]
    assert sorted(path.name for path in Path().iterdir()) == ["folder", "out.npz.vectors"]
    (folder / "d1" / "u1.wav").write_bytes(sound)
    seen: list[int] = []
    whole = smile.Smile.__call__

    def counted(self: smile.Smile, signals: Any) -> Any:
        seen.append(len(signals))
        return whole(self, signals)

    monkeypatch.setattr(smile.Smile, "__call__", counted)
    assert replicate(*command).status == 0
    assert seen == [1]
    assert sorted(path.name for path in Path().iterdir()) == ["folder", "out.npz"]


def test_recordings_of_low_rate_give_a_warning(folder: Path, replicate: Replicate) -> None:
    write_wav(folder / "d1" / "u1.wav", tone(0.3, 8_000), 8_000)
    status, _, stderr = replicate("features", "opensmile", folder, "--out", "out.npz")
    assert status == 0
    assert "1 utterance was recorded below 16 kHz" in stderr


MISTAKES = [
    (["opensmile", "absent"], errors.BadSource, "no folder and no recording absent"),
    (["opensmile", "."], errors.BadSource, "contains no CSV"),
    (["hubert", "folder", "--model", "./absent"], errors.BadModel, "no folder ./absent"),
    (["hubert", "folder", "--model", "folder"], errors.BadModel, "is not a folder with a speech encoder"),
    (["opensmile", "folder/d1/u1.wav", "--segments", "absent.csv"], errors.BadSource, "absent.csv"),
    (["opensmile", "folder", "--table", "absent.csv"], errors.BadSource, "absent.csv"),
]


@pytest.mark.parametrize(("arguments", "kind", "words"), MISTAKES)
def test_mistakes_are_reported_in_one_line(
    arguments: list[str],
    kind: type[errors.ReplicateError],
    words: str,
    folder: Path,
    replicate: Replicate,
) -> None:
    status, stdout, stderr = replicate("features", *arguments, "--out", "out.npz")
    assert (status, stdout) == (1, "")
    assert stderr.startswith(f"error ({kind.kind}): ") and stderr.count("\n") == 1 and words in stderr
    assert sorted(path.name for path in Path().iterdir()) == ["folder"]


USAGE = [
    (["opensmile", "folder", "--set", "IS08", "--out", "o.npz"], "choose one of eGeMAPSv02"),
    (["opensmile", "folder", "--out", "o.pkl"], "must end in .npz"),
    (["hubert", "folder", "--layer-weights", "1,2", "--out", "o.npz"], "needs --layer weighted"),
    (["encoder", "folder", "--out", "o.npz"], "Missing option '--model'"),
    (
        ["hubert", "folder", "--layer", "weighted", "--layer-weights", "1,x", "--out", "o.npz"],
        "numbers separated by commas",
    ),
]


@pytest.mark.parametrize(("arguments", "words"), USAGE)
def test_options_that_exclude_each_other(arguments: list[str], words: str, folder: Path, replicate: Replicate) -> None:
    status, _, stderr = replicate("features", *arguments)
    assert status == 2
    assert words in stderr


def test_a_file_is_replaced_only_with_force(folder: Path, replicate: Replicate) -> None:
    Path("out.npz").write_text("mine")
    command = ("features", "opensmile", folder, "--out", "out.npz")
    assert "error (cannot write)" in replicate(*command).stderr
    assert Path("out.npz").read_text() == "mine"
    assert replicate(*command, "--force").status == 0
    assert load("out.npz").widths == {"audio": 88}


@pytest.mark.parametrize("package", ["opensmile", "transformers", "soundfile", "soxr"])
def test_without_the_extra(
    package: str,
    folder: Path,
    replicate: Replicate,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    status, _, stderr = replicate("features", "hubert", folder, "--out", "out.npz")
    assert status == 1
    assert f"error (missing extra): {package} not installed" in stderr and "pip install -e '.[audio]'" in stderr


@pytest.mark.parametrize("command", ["opensmile", "encoder", "hubert"])
def test_every_option_is_documented(command: str) -> None:
    parameters = features.commands[command].params
    assert all(parameter.help for parameter in parameters if parameter.param_type_name == "option")
    assert CliRunner().invoke(features, [command, "--help"]).exit_code == 0
