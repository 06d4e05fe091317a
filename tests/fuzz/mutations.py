"""Ways to change a file: bytes, and values of JSON."""

from __future__ import annotations

import copy
import json
import random
import re
from collections.abc import Iterator
from typing import Any

from tests.fuzz.heads import NUMBERS, with_number

_TEXTS = ("", "a", "a" * 5000, "\x1b[31m", "../../x", "\ud800", "\x00", "<script>", "=A1", "é" * 99, "NaN", "\n")
_LITERALS = (
    *("1e999", "-1e999", "1" * 5000, "0." + "1" * 5000, "NaN", "-Infinity", "01", "1_0", "0x10", "+1", "1.", "\u0661"),
    *("null", "true", '"\\ud800"', '"\\u0000"', '"' + "a" * 100_000 + '"', "[]", "{}", "-0", "1E-400", "'a'"),
)


def of_bytes(content: bytes, draws: random.Random) -> bytes:
    """Change some bytes: flip, replace, remove, repeat, cut off, or write a number."""
    data = bytearray(content or b"\0")
    at = draws.randrange(len(data))
    length = min(draws.choice((1, 2, 4, 8, 64)), len(data) - at)
    kind = draws.randrange(7)
    if kind == 0:
        data[at] ^= 1 << draws.randrange(8)
    elif kind == 1:
        data[at : at + length] = draws.randbytes(length)
    elif kind == 2:
        del data[at : at + length]
    elif kind == 3:
        data[at:at] = data[at : at + length] * draws.choice((1, 2, 1000))
    elif kind == 4:
        del data[at:]
    elif kind == 5:
        other = draws.randrange(len(data))
        data[at : at + length] = data[other : other + length]
    else:
        return with_number(bytes(data), at, draws)
    return bytes(data)


def of_json(content: bytes, draws: random.Random) -> bytes:
    """Replace, remove or add a value, now and then bytes."""
    try:
        return _of_value(json.loads(content), content, draws)
    except (ValueError, RecursionError):  # it was changed before
        return of_bytes(content, draws)


def _of_value(value: Any, content: bytes, draws: random.Random) -> bytes:
    kind = draws.random()
    if kind < 0.1:
        return of_bytes(content, draws)
    if kind < 0.2:
        return _of_json_text(json.dumps(value), draws).encode("utf-8", "surrogatepass")
    if kind < 0.3:
        places = list(_places(value))[:2000]
        if places:
            (one, key), (other, another) = draws.choice(places), draws.choice(places)
            one[key] = copy.deepcopy(other[another])
            return json.dumps(value).encode()
    return json.dumps(changed_value(value, draws)).encode()


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield container and key of every value in a JSON value."""
    for key in list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield value, key
        yield from _places(value[key])


def _of_json_text(text: str, draws: random.Random) -> str:
    """Change JSON in ways that no program writes it: keys twice, odd forms of numbers, comments, other encodings."""
    kind = draws.randrange(4)
    if kind == 0:  # the first key, or another, twice
        keys = re.findall(r'"(?:[^"\\]|\\.)*": ', text) or ['"a": ']
        return text.replace("{", "{" + draws.choice(keys) + draws.choice(_LITERALS) + ", ", 1)
    if kind == 1:
        numbers = list(re.finditer(r"(?<=[ \[])-?\d[\d.eE+-]*", text))
        if numbers:
            found = draws.choice(numbers)
            return text[: found.start()] + draws.choice(_LITERALS) + text[found.end() :]
    if kind == 2:
        at = draws.randrange(len(text) + 1)
        return text[:at] + draws.choice((*_LITERALS, ",", "//x", "[" * 100_000, '{"a":' * 30_000)) + text[at:]
    return draws.choice(("\ufeff", " ", "\0", "[")) + text + draws.choice(("", "\n", "\0", "]", text))


def changed_value(value: Any, draws: random.Random) -> Any:
    """Return a JSON value with one change anywhere in it."""
    if not isinstance(value, (dict, list)) or not value or draws.random() < 0.05:
        return odd_value(value, draws)
    if isinstance(value, dict):
        key = draws.choice(list(value))
        if draws.random() < 0.1:
            left = {name: inner for name, inner in value.items() if name != key}
            return left if draws.random() < 0.5 else left | {draws.choice(_TEXTS): value[key]}
        return value | {key: changed_value(value[key], draws)}
    i = draws.randrange(len(value))
    if draws.random() < 0.1:
        return value[:i] + value[i + 1 :] if draws.random() < 0.5 else value[:i] + [value[i]] * 50 + value[i:]
    return [*value[:i], changed_value(value[i], draws), *value[i + 1 :]]


def odd_value(value: Any, draws: random.Random) -> Any:
    """Return a value that a reader may not expect in place of another."""
    if isinstance(value, (int, float)) and not abs(value) > 1e300 and draws.random() < 0.3:
        return draws.choice((-value, value + 1, value * 1000, float(value), str(value), 1e308 * (1 + value)))
    deep: Any = []
    for _ in range(draws.choice((20, 30, 300))):
        deep = draws.choice(([deep], {"a": deep}))
    numbers = (*NUMBERS, -1, 0.5, -0.0, 1e308, float("inf"), float("nan"), 10**40, 10**400)
    return draws.choice((None, True, False, [], {}, deep, draws.choice(numbers), draws.choice(_TEXTS), [value] * 3))


def of_lines(content: bytes, draws: random.Random) -> bytes:
    """Change one line of JSON."""
    lines = content.split(b"\n")
    i = draws.randrange(len(lines))
    lines[i] = of_json(lines[i], draws) if draws.random() < 0.8 else of_bytes(lines[i], draws)
    return b"\n".join(lines)
