"""An interrupted command ends with one line, whatever it was about to write."""

import subprocess
import sys

import pytest

SCRIPT = """
import replicate.cli

class Archive:
    def __del__(self):
        raise ValueError("seek of closed file")

def interrupted(*arguments, **options):
    archive = Archive()
    raise KeyboardInterrupt

replicate.cli.cli.main = interrupted
replicate.cli.main(["data", "list"])
"""
# Such as exec() of dataclasses, after which Python would end by the signal.
WITHIN_EXEC = """
import replicate.cli
from replicate.__main__ import main

def interrupted(*arguments, **options):
    exec("raise KeyboardInterrupt")

replicate.cli.PLACE = interrupted
main()
"""


def test_what_is_closed_too_late_prints_no_traceback():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=120)
    assert done.returncode == 130 and done.stderr.startswith("error (interrupted)") and done.stderr.count("\n") == 1


@pytest.mark.parametrize("place", ["cli.main", "console.set_level", "console.close_log_file"])
def test_an_interrupt_anywhere_is_an_exit_code_and_one_line(place):
    script = WITHIN_EXEC.replace("PLACE", place)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert done.returncode == 130 and "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("error (interrupted)")
