"""Change pickles: opcodes inserted, removed, repeated, exchanged and moved, and their arguments."""

from __future__ import annotations

import pickletools
import random
import struct

from tests.fuzz.heads import with_number
from tests.fuzz.mutations import of_bytes

# Opcodes with arguments that make much of little, or do what files of features never do.
_OPCODES = (
    b"\x96" + struct.pack("<Q", 6 * 10**9), b"\x8e" + struct.pack("<Q", 2**62), b"\x8d" + struct.pack("<Q", 2**40),
    b"\x95" + struct.pack("<Q", 2**40), b"B" + struct.pack("<I", 2**31), b"\x8b" + struct.pack("<i", 2**31 - 1),
    b"\x8f" * 20_000, b"(" * 20_000, b"N" + b"\x85" * 20_000, b"N" + b"\x94" * 20_000, b"]" * 20_000, b"}" * 20_000,
    b"2" * 1000, b"0", b"1", b"s", b"u", b"a", b"e", b"\x90", b"\x91", b"d", b"l", b"t", b"R", b"b", b"o", b"\x81",
    b"\x92", b"Q", b"\x97", b"\x98", b"\x82\x01", b"h\x00", b"h\x01", b"q\x00", b"K\x01", b"N", b"]", b"}", b"\x8f",
    b"L" + b"9" * 5000 + b"L\n", b"\x8a\xff" + b"\x7f" * 255, b"V\\ud800\n", b"F1e400\n", b"cos\nsystem\n", b".",
)  # fmt: skip


# Formats of an argument's number, or of the number in front of an argument, by ``pickletools``' length of it.
_ARGUMENTS = {1: "<B", 2: "<H", 4: "<I", 8: ">Q", -2: "<B", -3: "<I", -4: "<I", -5: "<Q"}


def of_pickle(content: bytes, draws: random.Random) -> bytes:
    """Insert, remove, repeat, exchange or move opcodes, change an argument, or change bytes."""
    if draws.random() < 0.25:
        return of_bytes(content, draws)
    try:
        found = [(opcode, at) for opcode, _, at in pickletools.genops(content) if at is not None]
    except Exception:
        return of_bytes(content, draws)
    places = [at for _, at in found] + [len(content)]
    i = draws.randrange(len(found))
    at, after = places[i], places[i + 1]
    kind = draws.randrange(8)
    if kind == 0:
        return content[:at] + draws.choice(_OPCODES) + content[at:]
    if kind == 1:
        return content[:at] + content[after:]
    if kind == 2:
        return content[:at] + content[at:after] * draws.choice((2, 3, 1000)) + content[after:]
    if kind == 3:
        return content[:at] + draws.choice(_OPCODES) + content[after:]
    if kind == 4:  # another opcode of this file in its place
        j = draws.randrange(len(found))
        return content[:at] + content[places[j] : places[j + 1]] + content[after:]
    if kind == 5:  # a piece of this file at another place
        j = draws.randrange(len(found))
        end = places[min(len(found), j + draws.choice((1, 5, 40)))]
        return content[:at] + content[places[j] : end] * draws.choice((1, 1, 1, 300)) + content[at:]
    if kind == 6:
        return content[:at] + draws.choice(_SPLICED) + content[draws.choice((at, after, after)) :]
    argument = found[i][0].arg
    form = _ARGUMENTS.get(argument.n) if argument is not None else None
    if form is None:
        return content[:at] + draws.choice(_OPCODES) + content[after:]
    return with_number(content, at + 1, draws, (form,))


# Values that a file of features has nowhere: containers that contain themselves, odd keys, sets, objects of libraries.
_SPLICED = (
    b"]q\x01h\x01a", b"}q\x01K\x00h\x01s", b"(]q\x01h\x01tq\x02", b"\x8f(K\x01K\x02\x90", b"(K\x01\x91",
    b"}(K\x01NI01\nNu",
    b"}N" + b"\x85" * 200_000 + b"Ns", b"N" + b"\x85" * 200_000, b"}N]s", b"}G\x7f\xf8" + b"\0" * 6 + b"Ns",
    b"}(K\x01K\x02\x86Nu", b"}C\x01aNs", b"}\x8c\x01aNs", b"}]Ns",
    b"cnumpy\nndarray\n(tR", b"cnumpy\ndtype\n(V|O\nI00\nI01\ntR", b"cnumpy.core.multiarray\nscalar\n(tR",
    b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I999999999\ntVb\ntR",
    b"ccodecs\nencode\n(V\xff\nVlatin1\ntR",
    b"ccollections\nOrderedDict\n(tR", b"c__builtin__\nlist\n(tR", b"c__builtin__\nbytearray\n(I999999999\ntR",
    b"c_codecs\nencode\n(V" + b"a" * 9000 + b"\nVutf-7\ntR",
    b"cnumpy\ndtype\n(Vf4" + b",f4" * 2000 + b"\nI00\nI01\ntR",
    b"X\x00\x00\x00\x00", b"V\\u001b[31m\n", b"F-0\n", b"I" + b"9" * 4000 + b"\n", b"\x8c\x03d_0", b"C\x01a",
    b"\x8d" + b"\0" * 8, b"U\x01a", b"P1\n", b"cnumpy\nfloat32\n", b"c__builtin__\nset\n]\x85R", b"V\\U0001f600\n",
)  # fmt: skip
