import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from hypothesis import given
from hypothesis import strategies as st

from replicate.config.toml import as_text, build

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
PLAIN = TEXTS | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3))


@given(VALUES)
def test_a_value_is_read_back_from_its_text(value):
    found = tomllib.loads(f"key = {as_text(value)}\n")["key"]
    assert found == value and type(found) is type(value)


@dataclass
class Base:
    known: "ClassVar[NoSuchType]" = 1  # type: ignore[name-defined]  # noqa: F821
    rate: float = 0.5


@dataclass
class Derived(Base):
    sizes: "tuple[int, ...]" = ()


def test_types_of_fields_alone_are_resolved():
    found = build(Derived, {"rate": 1, "sizes": [1, 2]}, "here")
    assert found == Derived(1.0, (1, 2)) and type(found.rate) is float


SETTINGS = sorted((Path(__file__).parents[2] / "replicate").glob("[mt]*/**/*.py"))


def test_class_variables_of_settings_have_a_type_since_python_3_10_refuses_others():
    assert [path for path in SETTINGS if re.search(r": ClassVar( =|$)", path.read_text("utf-8"), re.MULTILINE)] == []
