import json

import pytest

from replicate.errors import NotThisFormat
from replicate.experiment.manifest import MANIFEST, peek, read


def test_reads_what_lies_there(tmp_path):
    (tmp_path / MANIFEST).write_text('{"seeds": [24]}')
    assert read(tmp_path) == peek(tmp_path) == {"seeds": [24]}


@pytest.mark.parametrize("content", [None, b"{", b"[1]", b"\xff\xfe"], ids=["none", "cut", "a list", "no text"])
def test_what_is_no_manifest_is_named_by_read_and_empty_to_peek(tmp_path, content):
    if content is not None:
        (tmp_path / MANIFEST).write_bytes(content)
    assert peek(tmp_path) == {}
    with pytest.raises(NotThisFormat, match=r"manifest\.json .*run the table again"):
        read(tmp_path)


def test_a_manifest_of_another_tool_is_peeked_at_as_it_is(tmp_path):
    (tmp_path / MANIFEST).write_text(json.dumps({"name": "an app"}))
    assert peek(tmp_path) == {"name": "an app"}
