"""docs/commands.md is what the commands say about themselves."""

import re

from docs.generate_commands import COMMON, PAGE, page
from replicate.cli import cli


def test_the_page_is_up_to_date():
    assert PAGE.read_text(encoding="utf-8") == page(), "run `make readme`"


def test_every_command_and_option_is_on_the_page_unless_it_is_hidden():
    def walk(command, path):
        for name, each in getattr(command, "commands", {}).items():
            yield (f"{path} {name}", each)
            yield from walk(each, f"{path} {name}")

    sections = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", page(), re.MULTILINE | re.DOTALL))
    assert set(sections) == {path for path, command in walk(cli, "replicate") if not command.hidden}
    for path, command in walk(cli, "replicate"):
        for parameter in command.params:
            if parameter.param_type_name == "option" and not command.hidden and not COMMON & {*parameter.opts}:
                assert f"{parameter.opts[0]}" in sections[path] and parameter.help.split("\n")[0][:20] in sections[path]
