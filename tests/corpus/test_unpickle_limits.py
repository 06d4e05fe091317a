"""Pickles that claim more than they hold, use one object many times, or nest without end: refused in little memory."""

from __future__ import annotations

import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from replicate.corpus import unpickle
from replicate.corpus.readers import cogmen
from replicate.errors import NotThisFormat, ReplicateError, TooLarge, TooLittleMemory
from replicate.limits import MIB
from tests.corpus.pickles import load_bytes, text
from tests.memory import allocated

START = b"\x80\x04"
# Builds an array of 1 byte per entry from the text under memo 0, and drops it.
ARRAY = (
    text("numpy.core.multiarray") + text("_reconstruct") + b"\x93" + text("numpy") + text("ndarray") + b"\x93"
    b"K\x00\x85C\x01b\x87R(K\x01"
)
DTYPE = text("numpy") + text("dtype") + b"\x93" + text("i1") + b"\x85R"


def refused(tmp_path: Path, content: bytes, error: type[ReplicateError], words: str) -> None:
    """Check that a pickle is refused in one short line."""
    with pytest.raises(error, match=words) as caught:
        load_bytes(tmp_path, content)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_a_claimed_length_is_compared_with_the_file_before_memory_is_reserved(tmp_path: Path) -> None:
    claims = START + b"\x96" + struct.pack("<Q", 6 * 10**9)
    assert allocated(lambda: refused(tmp_path, claims, NotThisFormat, "claims 6000000000 bytes")) < MIB
    assert load_bytes(tmp_path, START + b"\x96" + struct.pack("<Q", 2) + b"ab.") == bytearray(b"ab")


@pytest.mark.parametrize(
    "key",
    [
        b"N" + b"\x85" * 3_000,  # with 10^6, hashing it overflows the stack of the interpreter
        b"\x8a\xff" + b"\x01" * 255,  # an integer of 2,040 bits
        b"C\x01a",
        b"G" + struct.pack(">d", 0.5),
        b"(\x91",
        b"\x88",
    ],
    ids=["nested", "long", "bytes", "float", "frozenset", "bool"],
)
def test_keys_are_text_or_small_integers(key: bytes, tmp_path: Path) -> None:
    pairs = text("collections") + text("OrderedDict") + b"\x93(" + b"(" + key + b"Ntt\x85R"
    made = text("builtins") + text("set") + b"\x93(" + key + b"l\x85R"
    for content in (
        b"}" + key + b"Ns",
        b"}(" + key + b"Nu",
        b"(" + key + b"Nd",
        b"\x8f(" + key + b"\x90",
        b"(" + key + b"\x91",
        pairs,
        made,
        made.replace(text("set"), text("frozenset")),
    ):
        refused(tmp_path, START + content + b".", NotThisFormat, "neither text nor a small integer")


@pytest.mark.parametrize(
    "content",
    [
        b"\x8f" * 100_000,  # empty sets
        b"N" + b"\x94" * 100_000,  # entries of the memo
        b"(" * 100_000,
        b"N" + b"\x85" * 100_000,
        b"K\x01" + b"(0" * 100_000,
        # One text of 1 MiB, encoded again and again.
        b"X" + struct.pack("<I", MIB) + b"a" * MIB + b"\x940"
        + text("_codecs") + text("encode") + b"\x93\x940" + text("latin1") + b"\x940"
        + b"h\x01h\x00h\x02\x86R" * 1000,
    ],
    ids=["sets", "memo", "marks", "tuples", "dropped", "one text"],
)  # fmt: skip
def test_small_opcodes_that_make_large_objects_are_counted(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpickle, "BASE", MIB)
    refused(tmp_path, START + content, TooLarge, "1 MiB and 24 times its size")


def test_arrays_made_from_one_text_are_counted(tmp_path: Path) -> None:
    whole = b"X" + struct.pack("<I", MIB) + b"a" * MIB + b"\x940"
    array = ARRAY + b"J" + struct.pack("<i", MIB) + b"\x85" + DTYPE + b"\x89h\x00tb0"
    refused(tmp_path, START + whole + array * 300, TooLarge, "24 times its size")
    assert load_bytes(tmp_path, START + whole + array * 20 + b"N.") is None


def test_one_vector_for_all_utterances_is_counted_before_it_is_copied(
    nine: list[Any], pickled: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpickle, "BASE", 4 * MIB)
    n = 10_000
    vectors = ([np.zeros(width, np.float32)] * n for width in (100, 20_000, 512))
    for field, values in enumerate((["a"] * n, ["M"] * n, [0] * n, *vectors, ["a"] * n)):
        nine[field]["t0"] = values
    path = pickled(tuple(nine))

    def read() -> None:
        with pytest.raises(TooLarge, match=r"24 times its size.*use the published file"):
            cogmen.read(path)

    assert 4 * 20_000 * n > 700 * MIB
    assert allocated(read) < 64 * MIB


def test_a_few_shared_vectors_are_no_reason_to_refuse(nine: list[Any], pickled: Any) -> None:
    nine[4]["t0"] = [np.ones(100, np.float32)] * 3
    assert cogmen.read(pickled(tuple(nine))).dialogues[0].features["audio"].tolist() == [[1.0] * 100] * 3


def test_a_dialogue_listed_many_times_is_refused_before_it_is_copied(nine: list[Any], pickled: Any) -> None:
    nine[4]["t2"] = [np.zeros(100_000, np.float32)] * 3
    nine[7] += ["t2"] * 1000
    path = pickled(tuple(nine))

    def read() -> None:
        with pytest.raises(ReplicateError, match="listed 1001 times"):
            cogmen.read(path)

    assert allocated(read) < 20 * MIB


LAUGHS: Any = "ha"
for _ in range(40):
    LAUGHS = [LAUGHS] * 10
CIRCLE: list[Any] = []
CIRCLE.append(CIRCLE)


@pytest.mark.parametrize("value", [LAUGHS, CIRCLE, 1 << 40_000, -(1 << 40_000)], ids=["laughs", "circle", "long", "-"])
@pytest.mark.parametrize("field", range(9))
def test_values_are_refused_by_type_before_they_are_printed(
    value: Any, field: int, nine: list[Any], pickled: Any
) -> None:
    if field == 6:
        pytest.skip("sentences are only counted")
    if field < 7:
        nine[field]["t2"] = [value, *nine[field]["t2"][1:]]
    else:
        nine[field] = [value, *nine[field]]
    path = pickled(tuple(nine), protocol=4)
    if field == 0:  # names are left out, as other invalid names are
        assert cogmen.read(path).dialogues[2].id == "t2"
        return
    with pytest.raises(ReplicateError) as caught:
        cogmen.read(path)
    assert len(str(caught.value)) < 400


def test_too_little_memory_is_not_taken_for_a_damaged_file(pickled: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    path = pickled([1])

    def read_bytes(self: Path) -> bytes:
        raise MemoryError

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    with pytest.raises(TooLittleMemory, match=r"too little memory to read .*features\.pkl"):
        unpickle.load(path)


def test_a_file_larger_than_any_pickle_of_features_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "sparse.pkl"
    with path.open("wb") as file:
        file.truncate(unpickle.MOST_BYTES + 1)
    with pytest.raises(TooLarge, match="larger than 4,096 MiB"):
        unpickle.load(path)


def test_the_limit_leaves_room_for_short_vectors(tmp_path: Path) -> None:
    content = [[np.zeros(8, np.float32), f"name{i}", {"a": i}] for i in range(1000)]
    path = tmp_path / "short.pkl"
    for protocol in (2, 4):
        path.write_bytes(pickle.dumps(content, protocol))
        budget = unpickle.budget(path)
        with path.open("rb") as file:
            unpickle._Unpickler(file, path, path.stat().st_size, budget).load()  # type: ignore[arg-type]
        assert budget.used < unpickle.TIMES * path.stat().st_size
