from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from replicate.cli.data import data
from replicate.corpus import archive, load, named_corpora
from replicate.corpus.catalogue import PublishedFile
from replicate.corpus.readers.base import NamedCorpus
from replicate.corpus.types import Corpus, Dialogue
from replicate.errors import CannotWrite, DownloadFailed, NoMatch, ReplicateError, UnknownCorpus
from tests.corpus_readers import register_corpus


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPLICATE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("COLUMNS", "30")


@pytest.fixture
def small(tmp_path: Path) -> Path:
    dialogues = tuple(
        Dialogue(
            f"d{i}",
            np.array([0, 1, 0, 0]),
            np.array([1, 1, 0, 1]),
            {"audio": np.ones((4, 3), np.float32), "visual": np.ones((4, 5), np.float32)},
            "test" if i == 2 else "train",
        )
        for i in range(3)
    )
    path = tmp_path / "small.npz"
    archive.write(Corpus("small", ("no", "yes"), dialogues, notes=("made up [for] this",)), path)
    return path


def call(*arguments: object) -> Result:
    return CliRunner().invoke(data, [str(argument) for argument in arguments])


def refused(*arguments: object) -> ReplicateError:
    """The error that the main command prints as one line."""
    result = call(*arguments)
    assert isinstance(result.exception, ReplicateError), result.exception
    assert result.stdout == ""
    return result.exception


def test_list_names_every_corpus_and_cuts_nothing() -> None:
    result = call("list")
    assert result.exit_code == 0
    lines = [line.split() for line in result.stdout.splitlines() if line.strip() and "─" not in line]
    assert lines[0] == ["corpus", "description", "on", "this", "machine"]
    for line, (name, corpus) in zip(lines[1:], named_corpora().items(), strict=True):
        assert line == [name, *corpus.what.split(), "no" if corpus.files else "generated"]
    assert result.stderr == "Next: replicate data fetch mosi\n"


def test_list_finds_files_on_this_machine(tmp_path: Path) -> None:
    (tmp_path / "data" / "iemocap6").mkdir(parents=True)
    (tmp_path / "data" / "iemocap6" / "IEMOCAP_features.pkl").touch()
    here = {line.split()[0]: line.split()[-1] for line in call("list").stdout.splitlines() if line.strip()}
    assert (here["iemocap6"], here["iemocap4"], here["mosi"]) == ("yes", "no", "no")


def test_info_whole_output(small: Path, golden: Callable[[str, str], None]) -> None:
    result = call("info", small)
    assert result.exit_code == 0
    golden("".join(f"{line.rstrip()}\n" for line in result.stdout.splitlines()), "data_info.txt")
    assert result.stderr == f"Next: replicate predict BUNDLE {small}\n"  # no dev split to choose an epoch on


def test_info_names_the_tables_that_a_corpus_is_for() -> None:
    assert call("info", "synthetic-tiny").stderr == "Next: replicate run table2 table4 --data synthetic-tiny\n"


def test_info_names_the_settings_that_streams_were_extracted_with(small: Path) -> None:
    recipe = {"extractor": "opensmile", "set": "IS09", "columns": ["a", "b", "c"], "versions": {"soxr": "1"}}
    archive.write(replace(load(small), recipes={"audio": recipe}), small)
    lines = [line for line in call("info", small).stdout.splitlines() if "extracted" in line]
    assert lines == ["audio was extracted with: columns (3), extractor opensmile, set IS09"]


def test_info_of_a_named_corpus_names_its_licence() -> None:
    result = call("info", "synthetic-tiny")
    assert result.exit_code == 0
    assert f"licence: {named_corpora()['synthetic-tiny'].licence}\n" in result.stdout
    assert "note: positive control" in result.stdout


def test_info_of_missing_files(tmp_path: Path) -> None:
    error = refused("info", "iemocap4", "--data-dir", tmp_path)
    assert isinstance(error, UnknownCorpus)
    assert str(tmp_path) in str(error)
    assert "synthetic" in str(refused("info", "synthetik"))


def test_convert_keeps_the_hash_and_replaces_a_file_only_with_force(small: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "out.npz"
    result = call("convert", small, out)
    assert result.exit_code == 0
    assert result.stdout == f"{out}: 3 dialogues, hash {load(small).hash}\n"
    assert result.stderr == f"Next: replicate data info {out}\n"
    before = out.stat().st_mtime_ns
    error = refused("convert", "synthetic-tiny", out)
    assert isinstance(error, CannotWrite)
    assert "--force" in str(error)
    assert out.stat().st_mtime_ns == before
    assert call("convert", "synthetic-tiny", out, "--force").exit_code == 0
    assert load(out).name == "synthetic-tiny"


def test_convert_needs_the_suffix_npz(small: Path, tmp_path: Path) -> None:
    result = call("convert", small, tmp_path / "out.pkl")
    assert result.exit_code == 2
    assert "must end in .npz" in result.stderr
    assert not (tmp_path / "out.pkl").exists()


def test_fetch_of_files_that_are_there_prints_their_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The empty file's git blob id.
    file = PublishedFile("o/r/c", "a/b.csv", "b.csv", "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391")
    register_corpus("made-up", NamedCorpus("", "Ask first.", "", (file,)))
    (tmp_path / "b.csv").touch()
    result = call("fetch", "made-up", "--to", tmp_path)
    assert result.exit_code == 0
    assert result.stdout == f"{tmp_path / 'b.csv'}\n"
    assert result.stderr.startswith("Ask first.\n")
    assert result.stderr.endswith(f"Next: replicate data info made-up --data-dir {tmp_path}\n")


def test_fetch_without_a_network(tmp_path: Path) -> None:
    error = refused("fetch", "mosi", "--to", tmp_path, "--base-url", "http://127.0.0.1:9")
    assert isinstance(error, DownloadFailed)
    assert str(tmp_path / "transcripts.csv") in str(error)


def test_fetch_of_an_unknown_name() -> None:
    assert isinstance(refused("fetch", "absent"), UnknownCorpus)


def named(small: Path) -> Corpus:
    """The corpus in a file, with names of utterances."""
    whole = load(small)
    dialogues = (replace(d, utterances=tuple(f"d{i}_{j}" for j in range(4))) for i, d in enumerate(whole.dialogues))
    return replace(whole, dialogues=tuple(dialogues))


def test_merge_adds_a_stream_and_names_the_utterances_that_it_drops(small: Path, tmp_path: Path) -> None:
    base = named(small)
    archive.write(base, tmp_path / "base.npz")
    two = tuple(replace(d, features={"hubert": d.features["visual"]}) for d in base.dialogues[:2])
    archive.write(replace(base, name="two", dialogues=two), tmp_path / "two.npz")
    out = tmp_path / "out.npz"
    merge = ("merge", tmp_path / "base.npz", tmp_path / "two.npz", "--stream", "hubert", "--out", out)
    assert isinstance(refused(*merge), NoMatch)
    assert not out.exists()
    result = call(*merge, "--drop")
    assert result.exit_code == 0
    assert result.stdout == f"{out}: 2 dialogues, hash {load(out).hash}\n"
    dropped = "".join(f"dropped, not in EXTRA: d2/{name}\n" for name in base.dialogues[2].utterances)
    assert result.stderr == f"{dropped}Next: replicate data info {out}\n"
    assert load(out).widths == {"audio": 3, "visual": 5, "hubert": 5}
    assert isinstance(refused(*merge), CannotWrite)
    assert call(*merge, "--drop", "--force").exit_code == 0


def test_merge_adds_a_second_stream_to_the_same_file_under_another_name(small: Path, tmp_path: Path) -> None:
    base = named(small)
    path, extra = tmp_path / "base.npz", tmp_path / "extra.npz"
    archive.write(base, path)
    streams = tuple(replace(d, features={"audio": d.features["visual"]}) for d in base.dialogues)
    archive.write(replace(base, name="extra", dialogues=streams), extra)
    merge = ("merge", path, extra, "--stream", "audio", "--out", path, "--force")
    before = path.read_bytes()
    error = refused(*merge)
    assert isinstance(error, NoMatch)
    assert "--as" in str(error)
    assert path.read_bytes() == before
    assert call(*merge, "--as", "more").exit_code == 0
    assert load(path).widths == {"audio": 3, "visual": 5, "more": 5}


@pytest.mark.parametrize("command", ["list", "info", "fetch", "convert", "merge"])
def test_every_option_is_documented(command: str) -> None:
    parameters = data.commands[command].params
    assert all(parameter.help for parameter in parameters if parameter.param_type_name == "option")
    assert call(command, "--help").exit_code == 0
