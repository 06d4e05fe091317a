"""Ways to change a file: bytes, values of JSON, arrays of an .npz, opcodes of a pickle."""

from __future__ import annotations

import io
import json
import pickletools
import random
import struct
import zipfile
from typing import Any

_NUMBERS = (0, 1, 7, 127, 128, 255, 256, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 10**9, 2**63 - 1, 2**64 - 1)
_TEXTS = ("", "a", "a" * 5000, "\x1b[31m", "../../x", "\ud800", "\x00", "<script>", "=A1", "é" * 99, "NaN", "\n")


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
        form = draws.choice(("<B", "<H", "<I", "<Q"))
        most = 2 ** (8 * struct.calcsize(form)) - 1
        data[at : at + struct.calcsize(form)] = struct.pack(form, min(draws.choice(_NUMBERS), most))
    return bytes(data)


def of_json(content: bytes, draws: random.Random) -> bytes:
    """Replace, remove or add a value, now and then bytes."""
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return of_bytes(content, draws)
    if draws.random() < 0.1:
        return of_bytes(content, draws)
    return json.dumps(changed_value(value, draws)).encode()


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
    if isinstance(value, (int, float)) and draws.random() < 0.3:
        return draws.choice((-value, value + 1, value * 1000, float(value), str(value), 1e308 * (1 + value)))
    deep: Any = []
    for _ in range(draws.choice((20, 30, 300))):
        deep = draws.choice(([deep], {"a": deep}))
    numbers = (*_NUMBERS, -1, 0.5, -0.0, 1e308, float("inf"), float("nan"), 10**40, 10**400)
    return draws.choice((None, True, False, [], {}, deep, draws.choice(numbers), draws.choice(_TEXTS), [value] * 3))


def of_lines(content: bytes, draws: random.Random) -> bytes:
    """Change one line of JSON."""
    lines = content.split(b"\n")
    i = draws.randrange(len(lines))
    lines[i] = of_json(lines[i], draws) if draws.random() < 0.8 else of_bytes(lines[i], draws)
    return b"\n".join(lines)


def of_npz(content: bytes, draws: random.Random) -> bytes:
    """Change an array and pack the file again with right sums, or change bytes of the file."""
    if draws.random() < 0.3:
        return of_bytes(content, draws)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
    except Exception:
        return of_bytes(content, draws)
    if not members:
        return of_bytes(content, draws)
    name = draws.choice(list(members))
    kind = draws.randrange(6)
    if kind == 0:
        members[draws.choice(list(members))] = members[name]
    elif kind == 1:
        del members[name]
    elif kind == 2:
        members[draws.choice(("stream/x.npy", "x.npy", "notes.npy", "recipes.npy", "x"))] = members[name]
    elif kind == 3:
        members[name] = _other_head(members[name], draws)
    elif kind == 4:
        members[name] += bytes(draws.choice((1, 100, 10_000, 10_000, 1_000_000)))
    else:
        members[name] = of_bytes(members[name], draws)
    made = io.BytesIO()
    methods = (zipfile.ZIP_DEFLATED, zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED, zipfile.ZIP_BZIP2)
    with zipfile.ZipFile(made, "w", draws.choice(methods), compresslevel=1) as archive:
        for each, data in members.items():
            info = zipfile.ZipInfo(each)  # with a fixed date, so that the same draws give the same bytes
            info.compress_type = archive.compression
            archive.writestr(info, data)
    return made.getvalue()


def _other_head(array: bytes, draws: random.Random) -> bytes:
    """Return an array whose head claims another type or shape, with as many bytes as before or as claimed."""
    kinds = ("<f4", "<f8", "<f2", "|b1", "<i8", "|u1", "<U1", "<U0", "<U100000", "|O", "<c16", "<M8[s]", "|V8", "f4,f4")
    number = draws.choice(_NUMBERS)
    shape = draws.choice(((), (number,), (number, 2), (2, number), (1,) * 40, (0, number), (-1,)))
    head = (
        f"{{'descr': '{draws.choice(kinds)}', 'fortran_order': {draws.random() < 0.5}, 'shape': {shape}, }}\n".encode()
    )
    start = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head
    data = array[min(len(array), 128) :]
    return start + (
        data
        if draws.random() < 0.5
        else bytes(min(8 * abs(number), draws.choice((10_000, 10_000, 1_000_000, 20_000_000))))
    )


# Opcodes with arguments that make much of little, or do what files of features never do.
_OPCODES = (
    b"\x96" + struct.pack("<Q", 6 * 10**9), b"\x8e" + struct.pack("<Q", 2**62), b"\x8d" + struct.pack("<Q", 2**40),
    b"\x95" + struct.pack("<Q", 2**40), b"B" + struct.pack("<I", 2**31), b"\x8b" + struct.pack("<i", 2**31 - 1),
    b"\x8f" * 20_000, b"(" * 20_000, b"N" + b"\x85" * 20_000, b"N" + b"\x94" * 20_000, b"]" * 20_000, b"}" * 20_000,
    b"2" * 1000, b"0", b"1", b"s", b"u", b"a", b"e", b"\x90", b"\x91", b"d", b"l", b"t", b"R", b"b", b"o", b"\x81",
    b"\x92", b"Q", b"\x97", b"\x98", b"\x82\x01", b"h\x00", b"h\x01", b"q\x00", b"K\x01", b"N", b"]", b"}", b"\x8f",
    b"L" + b"9" * 5000 + b"L\n", b"\x8a\xff" + b"\x7f" * 255, b"V\\ud800\n", b"F1e400\n", b"cos\nsystem\n", b".",
)  # fmt: skip


def of_pickle(content: bytes, draws: random.Random) -> bytes:
    """Insert, remove, repeat or exchange opcodes, or change bytes."""
    if draws.random() < 0.4:
        return of_bytes(content, draws)
    try:
        places = [at for _, _, at in pickletools.genops(content) if at is not None]
    except Exception:
        return of_bytes(content, draws)
    at = draws.choice(places)
    after = next((place for place in places if place > at), len(content))
    kind = draws.randrange(4)
    if kind == 0:
        return content[:at] + draws.choice(_OPCODES) + content[at:]
    if kind == 1:
        return content[:at] + content[after:]
    if kind == 2:
        return content[:at] + content[at:after] * draws.choice((2, 3, 1000)) + content[after:]
    return content[:at] + draws.choice(_OPCODES) + content[after:]
