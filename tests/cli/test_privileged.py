"""`--privileged`: which streams only training sees."""

import json
from dataclasses import replace

import pytest

from replicate.corpus.archive import write
from replicate.corpus.synthetic import generate


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A file of the tiny corpus with its video under the name of text as well."""
    source, path = generate("synthetic-tiny"), tmp_path_factory.mktemp("data") / "three.npz"
    dialogues = (replace(d, features=d.features | {"text": d.features["visual"]}) for d in source.dialogues)
    write(replace(source, name="three", dialogues=tuple(dialogues)), path)
    return path


def test_tables_of_a_choice_have_a_folder_of_their_own_and_report_reads_it(replicate, data, tmp_path):
    command = ["run", "table4", "--data", data, "--profile", "smoke", "--seeds", "24,", "--jobs", 1, "--out", tmp_path]
    done = replicate(*command, "--privileged", "none")
    assert done.status == 0, done.stderr
    assert "table4: 2 of 4 rows need a privileged stream" in done.stderr
    folder = tmp_path / "three" / "smoke-paper-privileged-none"
    assert "privileged: none" in (folder / "table4.md").read_text()
    before = {path.name: path.read_bytes() for path in folder.glob("table4.*")}
    assert replicate("report", "--results", tmp_path).status == 0
    assert {path.name: path.read_bytes() for path in folder.glob("table4.*")} == before
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["privileged"] == "none" and "--privileged none" in manifest["command"]
    # Arms of audio alone are the same runs with any choice.
    planned = replicate(*command, "--privileged", "text", "--dry-run")
    assert planned.stdout.splitlines() == ["COGMEN-AT, seed 24", "HuBERT-AT, seed 24"]


def test_a_sweep_is_of_the_arm_with_these_streams(replicate, data, tmp_path):
    command = ["--data", data, "--profile", "smoke", "--trials", 2, "--dry-run", "--out", tmp_path]
    assert replicate("sweep", "COGMEN-Mask", *command, "--privileged", "visual+text").status == 0
    refused = replicate("sweep", "COGMEN-Mask", *command, "--privileged", "none")
    assert refused.status == 1
    assert refused.stderr.splitlines()[-1] == (
        "error (missing stream): arm COGMEN-Mask needs the visual stream, and no stream is privileged: choose one with "
        "--privileged"
    )


def test_a_claim_that_names_other_streams_is_an_error_before_training(replicate, data, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "claims.toml").write_text(
        '[[claims]]\nnumber = 90\ntext = "Mine"\n[[claims.statements]]\nfirst = "table2/COGMEN-AV/AV"\n'
        'relation = "above"\nsecond = "table2/COGMEN-A/A"\n'
    )
    command = ["run", "table2", "--data", data, "--config-dir", tmp_path / "mine", "--profile", "smoke"]
    command += ["--seeds", "24,", "--dry-run", "--out", tmp_path / "out"]
    assert replicate(*command).status == 0
    refused = replicate(*command, "--privileged", "text")
    assert refused.status == 1 and "claims.toml, claim 1: unknown cell of table2 'COGMEN-AV/AV'" in refused.stderr


def test_a_stream_that_the_corpus_lacks_is_an_error_of_one_line(replicate, tmp_path):
    command = ["--profile", "smoke", "--out", tmp_path / "out", "--privileged", "text"]
    done = replicate("run", "table2", *command)
    assert done.status == 1 and done.stderr == (
        "error (missing stream): corpus synthetic-tiny has only the streams audio, visual, hubert, so text cannot be "
        "privileged: choose --privileged visual or none\n"
    )
    assert not (tmp_path / "out").exists()
