"""Change lists as people and programs write them: fields replaced, removed and repeated, lines cut and moved."""

from __future__ import annotations

import random
from collections.abc import Sequence

from tests.fuzz.mutations import of_bytes

_TOKENS = (
    *(
        "",
        " ",
        "\t",
        "\n",
        "\r",
        "\r\n",
        ",",
        ";",
        '"',
        '""',
        "'",
        "\0",
        "\ufeff",
        "\u2028",
        "\u00a0",
        "\u0661",
        "\x1b[2J",
    ),
    *(
        "nan",
        "inf",
        "-inf",
        "-1",
        "1e308",
        "1e400",
        "1_0",
        "0x10",
        "0.1,5",
        "<NA>",
        "SPEAKER",
        "SPKR-INFO",
        "../x",
        "M",
        "F",
    ),
    *(
        "9" * 400,
        "e" * 5_000,
        "[" * 2_000,
        "{" * 2_000,
        '{"a":',
        "null",
        "true",
        "Zoe\u0308",
        "\U0001f600",
        "=HYPERLINK(1)",
    ),
)


def of_fields(content: bytes, draws: random.Random, tokens: Sequence[str] = ()) -> bytes:
    """Change one or two fields or lines of text whose fields are separated by commas or blanks, now and then bytes."""
    if draws.random() < 0.2:
        return of_bytes(content, draws)
    lines = [
        line.split(",") if "," in line else line.split(" ") for line in content.decode("utf-8", "replace").split("\n")
    ]
    mark = "," if b"," in content else " "
    for _ in range(draws.randint(1, 2)):
        line = draws.choice(lines)
        at = draws.randrange(len(line)) if line else 0
        kind = draws.randrange(6)
        if kind == 0 and line:
            line[at] = draws.choice((*_TOKENS, *tokens))
        elif kind == 1:
            line.insert(at, draws.choice((*_TOKENS, *tokens)))
        elif kind == 2 and line:
            del line[at]
        elif kind == 3 and line:
            line[at] += draws.choice((*_TOKENS, *tokens))
        elif kind == 4:
            lines.insert(draws.randrange(len(lines)), list(line))
        else:
            lines.remove(line)
            lines.append(line)
    return "\n".join(mark.join(line) for line in lines).encode("utf-8", "replace")
