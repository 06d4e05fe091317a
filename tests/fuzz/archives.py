"""Change ``.npz`` files: arrays, their heads, members, and the records of the archive itself."""

from __future__ import annotations

import io
import random
import re
import struct
import warnings
import zipfile
from typing import Any

import numpy as np

from tests.fuzz.heads import NUMBERS, with_number
from tests.fuzz.mutations import of_bytes


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
    kind = draws.randrange(10)
    if kind >= 7:
        members[name] = _changed_array(members[name], draws)
    elif kind == 0:
        members[draws.choice(list(members))] = members[name]
    elif kind == 1:
        del members[name]
    elif kind == 2:
        members[draws.choice(("stream/x.npy", "x.npy", "notes.npy", "recipes.npy", "x"))] = members[name]
    elif kind == 3:
        members[name] = _other_head(members[name], draws)
    elif kind == 6:
        members[draws.choice(_MEMBERS)] = members.pop(name)
    elif kind == 4:
        members[name] += bytes(draws.choice((1, 100, 10_000, 10_000, 1_000_000)))
    else:
        members[name] = of_bytes(members[name], draws)
    return _packed(members, draws)


def _changed_array(array: bytes, draws: random.Random) -> bytes:
    """Return an array with other values, of the same type: one of them odd, some removed, repeated or moved."""
    try:
        values = np.load(io.BytesIO(array), allow_pickle=False)
    except Exception:
        return of_bytes(array, draws)
    flat = values.reshape(-1)
    kind = draws.randrange(4)
    if flat.size == 0 or kind == 0:
        values = np.array(draws.choice(ODD_ARRAYS))
    elif kind == 1:
        odd: Any = draws.choice(_TEXTS if values.dtype.kind == "U" else _VALUES.get(values.dtype.kind, (0,)))
        width = max(values.dtype.itemsize // 4, len(odd)) if values.dtype.kind == "U" else 0
        values = values.astype(f"<U{width}") if width else values.copy()
        with np.errstate(all="ignore"):
            values.reshape(-1)[draws.randrange(flat.size)] = odd
    elif kind == 2:
        values = values[: draws.randrange(len(values))] if values.ndim else values.reshape(1)
    else:
        values = np.concatenate([np.atleast_1d(values)] * draws.choice((2, 3, 100)))
    made = io.BytesIO()
    np.save(made, values, allow_pickle=False)
    return made.getvalue()


# Arrays of types and shapes that no field of a file has, and values that no number or text in it should have.
ODD_ARRAYS = (
    *(
        np.zeros(0),
        np.zeros((0, 3), np.float32),
        np.zeros((2, 0), np.float32),
        np.array(3),
        np.array("a"),
        np.array(True),
    ),
    *(
        np.full((2, 3), np.nan, np.float32),
        np.array([1e39]),
        np.array([2**63], np.uint64),
        np.array([-1]),
        np.array([1j]),
    ),
    *(
        np.array(["a", ""]),
        np.array([b"a"]),
        np.array(["2020-01-01"], "M8[D]"),
        np.zeros(2, "f4,f4"),
        np.zeros(3, ">f4"),
    ),
    *(np.zeros((1,) * 32), np.zeros(3, np.float16), np.zeros(2, np.longdouble), np.zeros((3, 100_000), np.int8)),
)
_VALUES: dict[str, tuple[Any, ...]] = {
    "f": (np.nan, np.inf, -np.inf, 1e38, -0.0, 1e-45, 3.5),
    "i": (-1, 0, 1, 7, 2**31, 2**62, -(2**62)),
    "u": (0, 1, 255),
    "b": (True, False),
}
_TEXTS = (
    *(
        "",
        " ",
        "train",
        "test",
        "a" * 300,
        "\u6f22" * 90,
        "\x1b[31m",
        "\n",
        "<script>",
        "=A1",
        "../../x",
        "\u202e",
        "\U0001f600",
    ),
    *(
        "{}",
        "[]",
        '{"audio": 3}',
        '{"audio": {"columns": [1]}}',
        "[" * 90_000,
        '{"x": {"extractor": "a"}}',
        "null",
        "NaN",
        "a\0b",
    ),
)


def _packed(members: dict[str, bytes], draws: random.Random) -> bytes:
    """Return an archive of members, now and then with some twice, or with odd numbers in its own records."""
    made = io.BytesIO()
    listed = list(members.items())
    if draws.random() < 0.1:
        listed += draws.choices(listed, k=draws.choice((1, 3, 300)))
    methods = (zipfile.ZIP_DEFLATED, zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED, zipfile.ZIP_BZIP2)
    with zipfile.ZipFile(made, "w", draws.choice(methods), compresslevel=1) as archive:
        for each, data in listed:
            info = zipfile.ZipInfo(each)  # with a fixed date, so that the same draws give the same bytes
            info.compress_type = archive.compression
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a name twice is what is wanted
                archive.writestr(info, data)
    found = made.getvalue()
    if draws.random() < 0.2:
        record = draws.choice((b"PK\1\2", b"PK\1\2", b"PK\3\4", b"PK\5\6"))
        starts = [match.start() for match in re.finditer(re.escape(record), found)]
        return with_number(found, draws.choice(starts) + draws.randrange(4, 46), draws, ("<H", "<I"))
    return found


# Names of members that are no keys of a corpus, or no files.
_MEMBERS = (
    *("../x.npy", "/x.npy", "a" * 5000 + ".npy", "stream/.npy", "stream/\x1b[31m.npy", ".npy", "x.npy\0.npy"),
    *("stream/\u00e9.npy", "stream/e\u0301.npy", "stream/" + "a" * 300 + ".npy", "stream/../x.npy", "x.npy/"),
)


def _other_head(array: bytes, draws: random.Random) -> bytes:
    """Return an array whose head claims another type or shape, with as many bytes as before or as claimed."""
    kinds = ("<f4", "<f8", "<f2", "|b1", "<i8", "|u1", "<U1", "<U0", "<U100000", "|O", "<c16", "<M8[s]", "|V8", "f4,f4")
    number = draws.choice(NUMBERS)
    shape = draws.choice(((), (number,), (number, 2), (2, number), (1,) * 40, (0, number), (-1,)))
    head = (
        f"{{'descr': '{draws.choice(kinds)}', 'fortran_order': {draws.random() < 0.5}, 'shape': {shape}, }}\n".encode()
    )
    if draws.random() < 0.1:
        head = draws.choice(_HEADS)
    length = draws.choice((len(head),) * 20 + NUMBERS)
    start = b"\x93NUMPY\x01\x00" + struct.pack("<H", length % 2**16) + head
    if draws.random() < 0.1:
        start = b"\x93NUMPY" + draws.choice((b"\2\0", b"\3\0", b"\4\0")) + struct.pack("<I", length % 2**32) + head
    data = array[min(len(array), 128) :]
    return start + (
        data
        if draws.random() < 0.5
        else bytes(min(8 * abs(number), draws.choice((10_000, 10_000, 1_000_000, 20_000_000))))
    )


# Heads of arrays that are no type and shape, or cost much to read.
_SHAPE = b"'fortran_order': False, 'shape': (3,), }\n"
_HEADS = (
    b"(" * 5000, b"[" * 200 + b"]" * 200, b"-" * 5000 + b"1", b"{'descr': '<f4'}", b"{}", b"1", b"", b"\0" * 100,
    b"{" * 100, b"9**9**9**9", b"'a' * 9999999999", b"{'descr': " * 90,
    b"{'descr': [('a', '<f4', (99999, 99999))], " + _SHAPE,
    b"{'descr': '<f4', 'fortran_order': 3, 'shape': (3,), }\n",
    b"{'descr': '<f4', 'fortran_order': False, 'shape': 3, }\n",
    b"{'descr': '<f4', 'fortran_order': False, 'shape': (True, 3), }\n",
    b"{'descr': [" + b"('a', '<f4'), " * 900 + b"], " + _SHAPE,
    b"{'descr': '<f4', 'descr': '<f8', " + _SHAPE, b"{'descr': ('<f4', (2,) * 9), " + _SHAPE,
    b"{'descr': None, " + _SHAPE,
)  # fmt: skip
