"""What holds for every page: links lead somewhere, commands and options exist, measured numbers are generated."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from docs.fill_readme import BLOCK, fill, pages
from replicate.cli import cli

from .conftest import DOCS, PAGES, ROOT, commands, committed, every_block, lines, text

LINK = re.compile(r"\]\(([^)\s]+)\)")


def prose(page: str) -> str:
    """A page without its blocks of code and without what is generated."""
    return re.sub(r"```.*?```", "", BLOCK.sub("", text(page)), flags=re.DOTALL)


def anchors(page_text: str) -> set[str]:
    """The anchors that GitHub gives to a page's headings."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", page_text, flags=re.DOTALL), re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings]
    return {heading.strip().replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    for link in LINK.findall(text(page)):
        if link.startswith("http"):
            continue
        path, _, anchor = link.partition("#")
        target = ((DOCS / page).parent / path).resolve() if path else (DOCS / page).resolve()
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target.read_text(encoding="utf-8")), link


@pytest.mark.parametrize("page", PAGES)
def test_generated_blocks_are_up_to_date(page):
    assert len(BLOCK.findall(text(page))) == len(re.findall("^<!-- begin ", text(page), re.MULTILINE))
    assert fill(text(page)) == text(page), "run `make readme`"


def test_no_file_with_generated_blocks_is_left_out():
    marked = [path for path in committed("*.md", "Makefile") if BLOCK.search((ROOT / path).read_text(encoding="utf-8"))]
    assert sorted(marked) == sorted(path.relative_to(ROOT).as_posix() for path in pages())
    for path in {path.resolve() for path in pages()} - {(DOCS / page).resolve() for page in PAGES}:
        assert fill(path.read_text(encoding="utf-8")) == path.read_text(encoding="utf-8"), f"{path}: run `make readme`"


def test_what_is_linked_or_shown_is_committed():
    # A file that exists here alone would be missing for everybody else.
    files = set(committed())
    folders = {parent.as_posix() for path in files for parent in Path(path).parents}
    for page in [path for path in files if path.endswith(".md") and not path.startswith("tests/")]:
        content = re.sub(r"```.*?```|`[^`\n]+`", "", (ROOT / page).read_text(encoding="utf-8"), flags=re.DOTALL)
        for link in LINK.findall(content):
            path = link.partition("#")[0]
            if path and "://" not in link and not link.startswith("mailto:"):
                target = os.path.normpath(Path(page).parent / path)
                assert target in files | folders, f"{page}: {link}"


def test_make_targets_exist():
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for page in PAGES:
        for target in re.findall(r"(?:^|`)make ([a-z-]+)", text(page), re.MULTILINE):
            assert f"make {target} " in listed, (page, target)


def shell_commands() -> Iterator[tuple[str, ...]]:
    """Every ``replicate`` command in a block of bash of any page, whether a test runs it or not."""
    for page in PAGES:
        for block in every_block(page):
            if block.kind in ("bash", "sh", "console"):
                for words in commands(block.code):
                    if words[0] == "replicate":
                        stop = next((i for i, word in enumerate(words) if word in ("<", ">", "|")), len(words))
                        yield tuple(words[1:stop])


@pytest.mark.parametrize("words", sorted(set(shell_commands())), ids=" ".join)
def test_commands_in_blocks_can_be_parsed(words, replicate):
    # Options are parsed before --help is answered.
    assert replicate(*words, "--help").status == 0
    assert replicate(*words, "--no-such-option", "--help").status == 2


def test_every_page_with_commands_is_run_by_a_test():
    run = set()
    for path in Path(__file__).parent.glob("test_*.py"):
        source = path.read_text(encoding="utf-8")
        names = dict(re.findall(r'^([A-Z]+) = "(.+\.md)"$', source, re.MULTILINE))
        for argument in re.findall(r"\b(?:perform|lines)\(([^),]+)", source):
            run.add(names.get(argument, argument.strip('"')))
    assert [page for page in PAGES if lines(page) and page not in run] == []


def inline_commands(page: str) -> list[str]:
    """Every ``replicate ...`` in backticks in a page's text."""
    return re.findall(r"`(replicate [^`]+)`", prose(page).replace("\n", " "))


@pytest.mark.parametrize("page", PAGES)
def test_commands_in_the_text_exist(page):
    for line in inline_commands(page):
        command, rest = resolve(shlex.split(line)[1:])
        known = {name for option in command.params for name in (*option.opts, *option.secondary_opts)} | {"--help"}
        for word in rest:
            assert not word.startswith("-") or word.partition("=")[0] in known, line


@pytest.mark.parametrize("page", PAGES)
def test_options_in_the_text_exist(page):
    known = set(every_option(cli)) | {"--help", "--version"}
    # Options of other programs.
    known |= {"--update-golden"}
    for option in re.findall(r"`(--[a-z][a-z0-9-]*)", prose(page)):
        assert option in known, option


def test_nothing_is_installed_by_name():
    # The names on the package index belong to other projects.
    for page in PAGES:
        assert not re.search(r"pip install ['\"]?(bridging-modalities|replicate|export)\b", text(page)), page


def resolve(words: list[str]) -> tuple[click.Command, list[str]]:
    """The command that the words name, and the words after it."""
    command: click.Command = cli
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        assert words[0] in command.commands, words[0]
        command, words = command.commands[words[0]], words[1:]
    return command, words


def every_option(command: click.Command) -> Iterator[str]:
    for option in command.params:
        yield from (*option.opts, *option.secondary_opts)
    if isinstance(command, click.Group):
        for one in command.commands.values():
            yield from every_option(one)
