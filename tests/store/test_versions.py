"""Versions that runs depend on: found without imports, and compared with recorded ones."""

import sys
from dataclasses import replace

import pytest
import torch
import torch_geometric
from hypothesis import given
from hypothesis import strategies as st
from torch.torch_version import TorchVersion

from replicate.store.keys import versions
from replicate.store.versions import LIBRARIES, distribution_version, in_key_order, module_version, other_versions
from tests.small_runs import SPEC
from tests.small_runs import STUDENT as STUDENT_ARM

STUDENT = replace(SPEC, arm=STUDENT_ARM)


def test_versions_are_found_without_importing_the_libraries(monkeypatch):
    imported = {"torch": torch.__version__, "torch_geometric": torch_geometric.__version__}
    assert {name: module_version(name) for name in LIBRARIES} == imported
    for name in LIBRARIES:
        monkeypatch.delitem(sys.modules, name)
    assert {name: module_version(name) for name in LIBRARIES} == imported
    assert not {*LIBRARIES} & {*sys.modules}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("version.py", "import os\n__version__ = '1.5+cu12'\n__version__: str\n"),
        ("__init__.py", "raise ImportError\n__version__ = '1.5+cu12'\n"),
    ],
)
def test_the_version_of_a_source_is_read(tmp_path, monkeypatch, name, content):
    package = f"library_with_{name.strip('_')[:4]}"
    (tmp_path / package).mkdir()
    (tmp_path / package / "__init__.py").write_text("raise ImportError\n")
    (tmp_path / package / name).write_text(content)
    monkeypatch.syspath_prepend(tmp_path)
    assert module_version(package) == "1.5+cu12"


def test_without_a_version_in_the_source_it_is_that_of_the_distribution(tmp_path, monkeypatch):
    (tmp_path / "click.py").write_text("")
    monkeypatch.delitem(sys.modules, "click")
    monkeypatch.syspath_prepend(tmp_path)
    assert module_version("click") == distribution_version("click") != "not installed"
    assert module_version("no_such_library") == "not installed"


def test_versions_that_differ_are_named(monkeypatch):
    found = {"replicate": "0.0", **versions(STUDENT)}
    assert other_versions(found) == {}
    changed = found | {"torch": "0.0", "source of replicate.training.distillation.triplet": "0"}
    assert other_versions(changed) == {"torch": "0.0", "source of replicate.training.distillation.triplet": "0"}
    assert other_versions(found | {"geomloss": "0.0"}) == {"geomloss": "0.0"}
    # Whether a plugin that is not loaded has changed is unknown.
    assert other_versions(found | {"source of replicate_plugin_mine": "0"}) == {}
    del found["torch"]
    assert other_versions(found) == {"torch": "unknown"}


RELEASES = st.lists(st.integers(0, 20), min_size=1, max_size=3).map(lambda numbers: ".".join(map(str, numbers)))
# A hash with an f is no version.
HASHES = st.text("0123456789abcdef", min_size=15, max_size=15).map(lambda text: f"{text}f")


@given(RELEASES, st.sampled_from(["", "+cpu", "+cu128"]), RELEASES, st.lists(HASHES, max_size=4))
def test_keys_have_the_order_of_torchs_own_version(torch_release, local, geometric, hashes):
    torch = torch_release + local
    found = {"torch": torch, "torch_geometric": geometric, **{f"source of {i}": each for i, each in enumerate(hashes)}}
    assert in_key_order(found) == sorted([TorchVersion(torch), geometric, *hashes])
