"""All definitions are checked before anything is trained."""

import pytest

from replicate.config import folders
from replicate.config.check import check
from replicate.errors import InvalidDefinition


def test_the_packaged_definitions_are_sound():
    check()


@pytest.mark.parametrize("name", [*(each for each in folders.COLLECTIONS if each != "sweep"), "mine"])
def test_a_mistake_in_any_file_of_a_user_is_found(use_folder, name):
    use_folder(**{f"{name}_toml": "[x]\ny = 1\n"})
    with pytest.raises(InvalidDefinition, match=rf"mine/{name}\.toml"):
        check()


def test_what_is_read_only_after_training_is_checked_in_the_packaged_files(edit):
    edit("figures", 'kind = "confusion"', 'kind = "pie"')
    with pytest.raises(InvalidDefinition, match=r"figures\.toml \[figure3\]"):
        check()
