"""docs/exit-codes.md names the kinds of errors that there are."""

import re

from replicate import errors

from .conftest import text

PAGE = text("exit-codes.md")


def test_the_kinds_that_exit_with_3_are_listed():
    listed = re.findall(r"^\| `([a-z ]+)` \|", PAGE, re.MULTILINE)
    assert sorted(listed) == sorted(kind.kind for kind in errors.CheckFailed.__subclasses__())


def test_the_codes_are_those_of_the_command():
    codes = [int(code) for code in re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)]
    exit_codes = {errors.ReplicateError.exit_code, errors.CheckFailed.exit_code, errors.INTERRUPTED_EXIT_CODE}
    assert codes == sorted({0, 2} | exit_codes)


def test_the_example_is_what_the_command_prints(replicate):
    (example,) = re.findall(r"^error \(.*$", PAGE, re.MULTILINE)
    done = replicate("data", "info", "mossi")
    assert done.status == 1 and done.stderr.startswith(example.removesuffix("..."))
