"""The page on extending works as it is written: its files, in the folders that it names, and its commands."""

import re

import pytest

from .conftest import QUICKLY, text

PAGE = "extending.md"
# A file is a block of code after a line that ends with its name.
FILE = re.compile(r"`((?:mine/)?[\w-]+\.(?:py|toml|csv))`:\n\n```\w+\n(.*?)```", re.DOTALL)


def files() -> dict[str, str]:
    """The files of the page by their paths; ``pyproject.toml`` is of the reader's own package."""
    return {name: content for name, content in FILE.findall(text(PAGE)) if name != "pyproject.toml"}


def test_every_module_and_definition_of_the_page_is_a_file():
    code = [block for block in re.findall(r"```(\w+)\n", text(PAGE)) if block != "bash"]
    assert len(files()) == len(code) - 1


def test_a_method_is_short():
    assert len(files()["mine/cosine.py"].splitlines()) < 40
    assert len(files()["mine/my-distillation.toml"].splitlines()) <= 3


@pytest.mark.slow
def test_extending(perform, tmp_path):
    (tmp_path / "mine").mkdir()
    for name, content in files().items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    printed = perform(PAGE, PROFILE=QUICKLY)

    def output(start: str) -> str:
        return next(text for command, text in printed.items() if command.startswith(start))

    all_trained = r"(\d+) runs, 0 \w+, \1 to train"
    found = re.search(all_trained, output("run distillation"))
    assert found
    mine, number = output("run my-distillation"), int(found[1])
    assert re.search(rf"{number + 1} runs, {number} \w+, 1 to train", mine)
    assert re.search(r"cosine .*1", mine)
    assert "4 layers" in output("run cosine-sizes")
    claims = (tmp_path / "results/synthetic-tiny/smoke-paper/claims.md").read_text(encoding="utf-8")
    assert "Cosine distillation helps" in claims
    assert "dialogue-masks" in output("run table2 --config-dir mine --profile one-epoch")
    assert re.search(all_trained, output("run my-context"))
    assert "whole-utterances" in output("run table2 --config-dir mine --profile $PROFILE")
    assert "calls" in output("data info")
    assert "context on calls: " in output("run context")
