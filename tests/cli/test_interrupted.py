"""An interrupted command ends with one line, whatever it was about to write."""

import subprocess
import sys

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


def test_what_is_closed_too_late_prints_no_traceback():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=120)
    assert done.returncode == 130 and done.stderr.startswith("error (interrupted)") and done.stderr.count("\n") == 1
