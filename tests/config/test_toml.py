import sys

from hypothesis import given
from hypothesis import strategies as st

from replicate.config.toml import as_text

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
