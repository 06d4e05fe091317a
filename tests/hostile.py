"""The same hostile text for every field of every input, and what no output may contain."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from pathlib import Path

from replicate.corpus import load
from replicate.corpus.types import Corpus

# What a name may hold: a formula, HTML, a cell's end, a link, a heading, a code span and TeX.
NAME = '=HYPERLINK("x") <script>y</script> | # h ![i](http://e) ` \\input{x} $a_b *c* 漢'
# What a sentence or a cell may hold, too: lines of their own, and commands to a terminal.
TEXT = f"{NAME}\n\n# heading\n--> \x1b]0;PWNED\x07\x1b[2J \x9b2J \u202e \u2028 \r end"
# Arms have letters, digits and hyphens alone, unless a row defines them.
ARM = "漢-mine"
# A file's name.
FILE = NAME.replace("/", "").replace("http:", "http")


def corpus() -> Corpus:
    """A corpus of which every name, note and setting is hostile, with streams audio and visual."""
    base = load("synthetic-tiny")
    dialogues = tuple(
        replace(
            each,
            id=f"{NAME} {i}",
            utterances=tuple(f"{NAME} {j}" for j in range(len(each))),
            features=each.features | {NAME: each.features["audio"]},
        )
        for i, each in enumerate(base.dialogues)
    )
    return replace(
        base,
        name=NAME,
        labels=tuple(f"{NAME} {i}" for i in range(len(base.labels))),
        speakers=tuple(f"{NAME} {i}" for i in range(len(base.speakers))),
        dialogues=dialogues,
        control="",
        notes=(TEXT, f"# {TEXT}"),
        recipes={"audio": {TEXT: TEXT, "extractor": TEXT, "model": TEXT, "layer": TEXT, "versions": {TEXT: TEXT}}},
    )


def definitions(folder: Path) -> Path:
    """A folder of an arm, protocol, profile, table, figures and a claim, all hostile."""

    def text(value: str) -> str:
        return json.dumps(value)

    folder.mkdir()
    name, cell = text(NAME), text(f"{FILE}/{NAME}/A")
    files = {
        "arms": f'["{ARM}"]\nlike = "COGMEN-A"\ngnn_heads = 1\n',
        "sweep": f'["{ARM}"]\ngnn_heads = [1, 2]\n',
        "profiles": f'[{name}]\ncorpus = "synthetic-tiny"\nseeds = [24, 25]\nepochs = 1\nbatch = 8\n'
        "learning_rate = 1e-3\nweight_decay = 0\nfeed_forward = 32\n",
        "claims": f"[[claims]]\nnumber = 91\ntext = {text(TEXT)}\n[[claims.statements]]\nfirst = {cell}\n"
        f'relation = "above"\nsecond = {text(f"{FILE}/base/A")}\n',
        "figures": "".join(
            f"[{kind}-hostile]\nkind = {text(kind)}\ntitle = {text(TEXT)}\ncaption = {text(TEXT)}\n"
            f"source = {text(TEXT)}\npanels = [{{ cell = {cell}, title = {text(TEXT)} }}]\n"
            for kind in ("confusion", "curves", "classes", "embedding")
        ),
        FILE: f'title = {text(TEXT)}\nsource = {text(TEXT)}\nin_paper = false\ncontexts = ["A"]\n'
        f'notes = [{text(TEXT)}]\ncompare = [[{text(f"{NAME}/A")}, "base/A"]]\nresources = true\n'
        f'cost = {name}\n[[rows]]\nname = {name}\narm = {{ like = "{ARM}", gnn_heads = 2 }}\n'
        '[[rows]]\nname = "base"\narm = "COGMEN-A"\n',
    }
    for stem, content in files.items():
        (folder / f"{stem}.toml").write_text(content, encoding="utf-8")
    return folder


def problems(text: str, kind: str) -> list[str]:
    """What is wrong in an output of a kind: terminal, or a suffix of files."""
    found = [f"control character {c!r}" for c in sorted({c for c in text if not (c.isprintable() or c in "\n\t")})]
    if kind in ("md", "html"):
        found += re.findall(r"<script.{0,20}", text)
    if kind == "md":
        found += [line for line in text.splitlines() if re.match(r"\s*(?:[-*]\s+)?#+ +h(?:eading)?\b", line)]
        found += re.findall(r"(?<!\\)\]\(http.{0,10}", text)
    if kind == "csv":
        cells = [cell for row in csv.reader(text.splitlines()) for cell in row]
        found += [cell[:30] for cell in cells if re.match(r"\s*[=@]|[-+](?![\d.])", cell)]
    if kind == "tex":
        body = re.sub(r"(?m)^%.*$", "", text.rpartition("\\begin{document}")[2])
        found += re.findall(r"\\input.{0,10}|<script|(?<!\\)#.{0,10}", body)
        found += [c for c in body if not c.isascii() and c not in "àéö"]
    if kind == "tsv":
        cells = [cell for row in csv.reader(text.splitlines(), delimiter="\t") for cell in row]
        found += [cell[:30] for cell in cells if re.match(r"\s*[=@]|[-+](?![\d.])", cell)]
    if kind == "srt":
        found += re.findall(r"^(?!\d\d+:\d\d:\d\d,\d{3} --> ).*[<>{}\\].*", text, re.MULTILINE)
    if kind == "eaf":
        found += re.findall(r"<(?!\?xml|/?[A-Z_]+[ />]).{0,10}", text)
    if kind == "TextGrid":
        form = r'\s*([\w:?]+( [\w:]+)*( \[\d*\])?:?|(intervals: )?[\w ]+[=?:] ?("([^"]|"")*"|[\d.]+|<exists>))? ?'
        found += [row[:30] for row in text.splitlines() if not re.fullmatch(form, row)]
    if kind == "rttm":
        found += [row[:30] for row in text.splitlines() if not re.fullmatch(r"SPEAKER( [^\s;]\S*){9}", row)]
    if kind == "vtt":
        found += re.findall(r"<(?!v ).{0,10}|^(?!\d\d:).*-->.*", text, re.MULTILINE)
    return found


def problems_below(folder: Path) -> list[str]:
    """What is wrong in the files of a folder that hold text, by their names."""
    kinds = {"log", "md", "html", "csv", "tex", "vtt", "json", "svg", "tsv", "srt", "eaf", "TextGrid", "rttm"}
    return [
        f"{path.relative_to(folder)}: {problem}"
        for path in sorted(folder.rglob("*"))
        if path.suffix[1:] in kinds and "runs" not in path.parts
        for problem in problems(path.read_text(encoding="utf-8"), path.suffix[1:])
    ]
