"""The README's numbers are generated, and its code and commands work."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from docs.fill_readme import BLOCK, filled
from replicate.corpus import load

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, re.DOTALL)


def test_tables_are_those_that_were_written():
    assert len(BLOCK.findall(README)) == README.count("<!-- begin ") > 0
    assert filled(README) == README


def test_no_number_stands_outside_of_what_is_generated():
    (least,) = re.findall(r'requires-python = ">=([0-9.]+)"', (ROOT / "pyproject.toml").read_text())
    text = BLOCK.sub("", README)
    for pattern in (r"```.*?```", r"`[^`]*`", r"\]\([^)]*\)"):
        text = re.sub(pattern, "", text, flags=re.DOTALL)
    # Names that hold a digit; whatever was measured or counted must come from a file or from the code.
    names = ("Tables 1 to 5", "Figures 3 to 6", "tables 4 and 5", f"Python {least}", "from 24 on")
    for name in (*names, "Apache-2.0", "NAACL 2022", "[1", "[3", "[4", "[5"):
        assert name in text
        text = text.replace(name, "")
    assert re.findall(r".*\d.*", text) == []


def test_links_lead_somewhere():
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if not link.startswith("http")]
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_make_targets_exist():
    targets = re.findall(r"(?:^|`)make ([a-z-]+)", README, re.MULTILINE)
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert {"tables", "test", "export", "benchmark"} <= set(targets)
    assert [target for target in targets if f"make {target} " not in listed] == []


COMMANDS = {
    line for kind, code in BLOCKS if kind == "bash" for line in code.splitlines() if line.startswith("replicate")
}


@pytest.mark.parametrize("line", sorted(COMMANDS))
def test_commands_and_options_exist(line, replicate):
    # Options are parsed before --help is answered; what the commands do is tested elsewhere.
    assert replicate(*shlex.split(line)[1:], "--help").status == 0
    assert replicate(*shlex.split(line)[1:], "--no-such-option", "--help").status == 2


def test_the_corpus_example_makes_a_corpus(tmp_path):
    (code,) = [code for kind, code in BLOCKS if kind == "python" and "savez" in code]
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    corpus = load(tmp_path / "mine.npz")
    assert corpus.widths == {"audio": 40, "visual": 20} and len(corpus.dialogues) == 3


def test_the_model_example_runs(smoke_bundle):
    (code,) = [code for kind, code in BLOCKS if kind == "python" and "onnxruntime" in code]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=smoke_bundle.folder, capture_output=True, text=True, check=True
    )
    assert len(eval(done.stdout)) == 8


def test_the_predictor_example_runs(smoke_bundle, tmp_path):
    (code,) = [code for kind, code in BLOCKS if kind == "python" and "Predictor" in code and "stream" not in code]
    shutil.copytree(smoke_bundle.folder, tmp_path / "bundle")
    code = code.replace("BUNDLE", "bundle")
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert len(eval(done.stdout)) == 8


def test_the_stream_example_runs(causal_bundle, tmp_path):
    (code,) = [code for kind, code in BLOCKS if kind == "python" and ".stream()" in code]
    shutil.copytree(causal_bundle.folder, tmp_path / "live")
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert len(done.stdout.split()) == 4
