"""Change lists as people and programs write them: fields replaced, removed and repeated, lines moved and repeated."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

from tests.fuzz.mutations import of_bytes

_TOKENS = (
    *("", " ", "\t", "\n", "\r", "\r\n", ",", ";", '"', '""', '"a', "'", "\0", "\ufeff", "\u2028", "\u00a0", "\u0661"),
    *(
        "\x1b[2J",
        "\x9b31m",
        "\u202e",
        "\x85",
        "\v",
        "\f",
        "\x1c",
        "\u200b",
        "e\u0301",
        "\u00e9",
        "\U0001f600",
        "\u6f22" * 90,
    ),
    *(
        "nan",
        "inf",
        "-inf",
        "-1",
        "-0",
        "1e308",
        "1e400",
        "1e-400",
        "1_0",
        "0x10",
        "0.1,5",
        "1.",
        ".5",
        "+1",
        "1 000",
        "1:30",
    ),
    *(
        "0",
        "9" * 400,
        "9" * 5_000,
        "0." + "1" * 5_000,
        "e" * 5_000,
        "a" * 200_000,
        "<NA>",
        "<script>",
        "=HYPERLINK(1)",
        "@A1",
    ),
    *(
        "SPEAKER",
        "SPKR-INFO",
        ";;",
        "%",
        "#",
        "M",
        "F",
        "../x",
        "/etc/passwd",
        "a/b",
        ".",
        "..",
        "a\\b",
        "CON",
        "-rf",
        "$HOME",
    ),
    *("[" * 2_000, "{" * 2_000, '{"a":', "null", "true", "Zoe\u0308", "None", "\ud800", "\udc80"),
)
_CODES = ("utf-16", "utf-16-le", "utf-32", "utf-8-sig", "latin-1", "cp1252", "utf-7", "gb18030")


def of_fields(content: bytes, draws: random.Random, tokens: Sequence[str] = ()) -> bytes:
    """Change fields or lines of text whose fields are separated by commas or blanks, the whole text, or bytes."""
    kind = draws.random()
    if kind < 0.15:
        return of_bytes(content, draws)
    if kind < 0.25:
        return _of_text(content, draws)
    lines = [_split(line) for line in content.decode("utf-8", "replace").split("\n")]
    for _ in range(draws.randint(1, 2)):
        if lines:
            _change_line(lines, draws, (*_TOKENS, *tokens))
    return "\n".join(map("".join, lines)).encode("utf-8", "surrogatepass")


def _split(line: str) -> list[str]:
    """Return the fields of a line, and the separators between them."""
    return re.split("(,)" if "," in line and " = " not in line else "( )", line)


def _change_line(lines: list[list[str]], draws: random.Random, tokens: Sequence[str]) -> None:
    i = draws.randrange(len(lines))
    line = lines[i]
    at = draws.randrange(len(line)) if line else 0
    kind = draws.randrange(9)
    if kind == 0 and line:
        line[at] = draws.choice(tokens)
    elif kind == 1:
        line[at:at] = [draws.choice(tokens), line[1] if len(line) > 1 else " "]
    elif kind == 2 and line:
        del line[at : at + draws.choice((1, 2, 2))]
    elif kind == 3 and line:
        line[at] += draws.choice(tokens)
    elif kind == 4:
        other = draws.randrange(len(lines))
        lines[other:other] = [list(line) for _ in range(draws.choice((1, 1, 2, 3000)))]
    elif kind == 5:
        del lines[i]
    elif kind == 6 and line:  # another field of the file in its place
        line[at] = draws.choice(draws.choice(lines) or [""])
    elif kind == 7:  # a column of all lines
        times = draws.choice((0, 2))
        for each in lines:
            each[at : at + 2] = each[at : at + 2] * times
    else:
        lines.append(lines.pop(i))


def _of_text(content: bytes, draws: random.Random) -> bytes:
    """Change a whole text: its encoding, line ends, separators, or what is in front of it."""
    text = content.decode("utf-8", "replace")
    kind = draws.randrange(6)
    if kind == 0:
        return text.encode(draws.choice(_CODES), "replace")
    if kind == 1:
        return text.replace("\n", draws.choice(("\r", "\r\n", "\n\n", "\n\r", "\u2028", "\x85", "\0", " "))).encode()
    if kind == 2:
        return text.replace(
            *draws.choice(((",", ";"), (",", "\t"), (" ", "\t"), (" ", "  "), (",", ", "), (" ", "\u00a0")))
        ).encode()
    if kind == 3:
        return (
            draws.choice((b"\xef\xbb\xbf", b"\xff\xfe", b"\n" * 5000, b"#!\n", b"PK\3\4", b"<!DOCTYPE html>\n"))
            + content
        )
    if kind == 4:
        return (text.upper() if draws.random() < 0.5 else text.title()).encode()
    return content * draws.choice((2, 50))
