import inspect
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import numpy as np
import pytest

from replicate import __version__, errors
from replicate.cli import cli
from replicate.corpus.archive import write
from replicate.corpus.types import SPLITS, Corpus, Dialogue


def test_help_imports_nothing_slow():
    code = (
        "import sys, replicate.cli; slow = {'torch', 'numpy', 'rich', 'onnx', 'sklearn', 'scipy', 'soundfile', "
        "'opensmile', 'transformers'} & set(sys.modules); print(slow); sys.exit(bool(slow))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_version_and_help_exit_with_0(replicate):
    assert replicate("--version")[:2] == (0, f"replicate, version {__version__}\n")
    assert "run" in replicate("--help").stdout


def test_every_command_and_option_is_documented():
    def walk(command: click.Command) -> Iterator[click.Command]:
        yield command
        for each in command.commands.values() if isinstance(command, click.Group) else ():
            yield from walk(each)

    for command in walk(cli):
        assert command.help, command.name
        for parameter in command.params:
            assert not isinstance(parameter, click.Option) or parameter.help, (command.name, parameter.name)


def test_failed_checks_exit_with_3_and_all_other_errors_with_1():
    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.ReplicateError)]
    assert len({kind.kind for kind in kinds if kind is not errors.ReplicateError}) == len(kinds) - 1 > 20
    for kind in kinds:
        assert kind.exit_code == (3 if issubclass(kind, errors.CheckFailed) else 1)


def test_a_line_of_an_error_is_bounded(replicate):
    status, _, stderr = replicate("data", "info", "begin" + "x/" * 50_000 + "end.npz")
    assert status == 1 and stderr.count("\n") == 1 and len(stderr) < 2100 and "begin" in stderr


def test_the_kind_of_an_error_is_the_words_of_its_class_name():
    class BrokenToyPlugin(errors.ReplicateError):
        """An error of a plugin."""

    assert BrokenToyPlugin("x").kind == "broken toy plugin" and errors.UnknownCorpus.kind == "unknown corpus"


@pytest.mark.parametrize(
    ("arguments", "kind", "named"),
    [
        (["run", "table9"], errors.UnknownTable, "table9"),
        (["run", "table2", "--seeds", "a,b"], errors.BadSeeds, "a,b"),
        (["run", "table2", "--seeds", "24,24"], errors.BadSeeds, "24,24"),
        (["run", "table2", "--data", "mossi"], errors.UnknownCorpus, "mosi"),
        (["run", "table2", "--data", "mosi", "--data-dir", "nowhere"], errors.UnknownCorpus, "nowhere"),
        (["run", "table2", "--profile", "huge"], errors.InvalidDefinition, "quick"),
        (["run", "table2", "--protocol", "mine"], errors.InvalidDefinition, "released"),
        (["run", "table2", "--protocol", "paper+masking.unit=speaker"], errors.InvalidDefinition, "'dialogue'"),
        (["run", "table2", "--protocol", "paper+maskin.unit=batch"], errors.InvalidDefinition, "did you mean masking?"),
        (["check", "parity", "nowhere.npz"], errors.NotThisFormat, "nowhere.npz"),
        (["export", "onnx", "--results", "nowhere"], errors.NothingToExport, "nowhere"),
        (["benchmark", "--results", "nowhere"], errors.NothingToExport, "nowhere"),
        (["data", "info", "nowhere.npz"], errors.UnknownCorpus, "nowhere.npz"),
    ],
)
def test_a_mistake_is_one_line_that_begins_with_its_kind(
    replicate: Callable,
    arguments: list[str],
    kind: type[errors.ReplicateError],
    named: str,
    tmp_path: Path,
    monkeypatch,
):
    monkeypatch.chdir(tmp_path)
    status, stdout, stderr = replicate(*arguments)
    assert status == 1
    assert stdout == ""
    assert stderr.startswith(f"error ({kind.kind}): ") and stderr.count("\n") == 1 and named in stderr
    assert list(tmp_path.iterdir()) == []


def test_a_missing_cuda_device_is_an_error(replicate):
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    status, _, stderr = replicate("run", "table2", "--device", "cuda", "--dry-run")
    assert status == 1 and "error (missing device)" in stderr and "--device cpu" in stderr


@pytest.mark.parametrize(
    ("streams", "labels", "splits", "kind", "named"),
    [
        (
            ("text",),
            ("a", "b"),
            SPLITS,
            "stream",
            "only the streams text, with which no row of table2 can be trained: it lacks",
        ),
        (
            ("audio", "visual"),
            ("unlabelled",),
            SPLITS,
            "class",
            "only the class 'unlabelled': training needs two classes",
        ),
        # The message is about the corpus, not the table.
        (("hubert",), ("unlabelled",), ("test",), "class", "only the class 'unlabelled'"),
        (("audio", "visual"), ("a", "b"), ("dev", "test"), "split", "has no train dialogue"),
        (("audio", "visual"), ("a", "b"), ("train", "test"), "split", "has no dev dialogue"),
        (("audio", "visual"), ("a", "b"), ("train", "dev"), "split", "has no test dialogue"),
        (("audio",), ("a", "b"), ("train", "dev"), "split", "has no test dialogue"),
    ],
)
@pytest.mark.parametrize("command", [("run", "table2"), ("sweep", "COGMEN-Mask")])
def test_a_corpus_that_cannot_be_trained_on_is_refused(
    replicate, tmp_path, command, streams, labels, splits, kind, named
):
    zeros = np.zeros(2, np.int64)
    features = {name: np.ones((2, 3), np.float32) for name in streams}
    dialogues = tuple(Dialogue(split, zeros, zeros, features, split) for split in splits)
    write(Corpus("mine", labels, dialogues), tmp_path / "mine.npz")
    status, stdout, stderr = replicate(*command, "--data", tmp_path / "mine.npz", "--out", tmp_path / "out")
    assert (status, stdout) == (1, "")
    assert stderr.startswith(f"error (missing {kind}): corpus mine ") and stderr.count("\n") == 1
    if command[0] == "run" or streams != ("text",):
        assert named in stderr
    assert not (tmp_path / "out").exists()
