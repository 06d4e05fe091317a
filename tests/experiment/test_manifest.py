import json
import platform
import shlex
from dataclasses import asdict, replace
from importlib.metadata import version

import pytest
import torch

import replicate
from replicate.corpus.synthetic import generate
from replicate.errors import NotThisFormat
from replicate.experiment import manifest
from replicate.experiment.manifest import Manifest
from replicate.experiment.plan import Source
from replicate.experiment.results_folder import MANIFEST, corpus_hash
from replicate.machine import cores
from replicate.store.versions import code_version
from tests.experiment.builders import plant, prepare


def test_a_manifest_holds_everything_needed_to_repeat_a_table(smoke_results):
    found = Manifest.load(smoke_results)
    corpus = generate("synthetic-tiny")
    assert found.tables == ("table2",)
    assert asdict(found.corpus) == {"name": "synthetic-tiny", "hash": corpus.hash, "notes": corpus.notes}
    assert (found.profile, found.protocol, found.seeds) == ("smoke", "paper", (24, 25))
    assert found.source == Source("synthetic-tiny") and found.failed == () and found.keep_dropped is False
    assert (found.device, found.jobs) in {("cpu", 1), ("cuda", 1)}
    assert found.wall_seconds > 0
    assert found.machine.cores == cores() and found.machine.system == platform.platform()
    assert found.versions["replicate"] == replicate.__version__ and found.versions["code"] == code_version()
    assert found.versions["python"] == platform.python_version() and found.versions["torch"] == version("torch")
    assert version("torch") == torch.__version__.split("+")[0] or version("torch") == torch.__version__
    assert {"torch-geometric", "numpy", "scipy", "scikit-learn", "onnxruntime"} <= set(found.versions)


def test_a_manifest_names_commit_and_builds(smoke_results, tmp_path):
    found = Manifest.load(smoke_results)
    records = [found.open_store(smoke_results).record(key) for key in found.runs]
    assert all(record.provenance == records[0].provenance for record in records)
    assert found.builds == records[0].provenance.builds and found.builds["threads"] == "1"
    assert (found.git_commit, found.git_clean) == (records[0].provenance.git_commit, records[0].provenance.git_clean)
    content = json.loads((smoke_results / MANIFEST).read_text())
    for name in ("git_commit", "git_clean", "builds"):  # as in a manifest of an earlier version
        del content[name]
    (tmp_path / MANIFEST).write_text(json.dumps(content))
    assert Manifest.load(tmp_path) == replace(found, git_commit=None, git_clean=None, builds={})


def test_its_runs_are_found_from_its_folder(smoke_results):
    found = Manifest.load(smoke_results)
    records = [found.open_store(smoke_results).get(key).record for key in found.runs]
    arms = ("COGMEN-A", "COGMEN-AV", "COGMEN-Mask", "Student-of-Mask", "COGMEN-A-masked", "COGMEN-Mask-deep")
    assert sorted((record.arm.name, record.seed) for record in records) == sorted(
        (arm, seed) for arm in arms for seed in (24, 25)
    )
    assert found.deployable == found.runs
    assert found.training_seconds == round(sum(record.seconds for record in records), 1) > 0


def test_the_command_in_it_repeats_it(smoke_results, smoke_out):
    found = Manifest.load(smoke_results)
    words = shlex.split(found.command)
    assert words[:3] == ["replicate", "run", "table2"]
    assert dict(zip(words[3::2], words[4::2], strict=True)) == {
        "--data": "synthetic-tiny",
        "--profile": "smoke",
        "--protocol": "paper",
        "--seeds": "24,25",
        "--device": found.device,
        "--out": str(smoke_out),
    }


def test_a_manifest_is_the_same_after_a_round_trip(smoke_results, tmp_path):
    found = Manifest.load(smoke_results)
    found.save(tmp_path)
    assert Manifest.load(tmp_path) == found
    assert (tmp_path / MANIFEST).read_bytes() == (smoke_results / MANIFEST).read_bytes()


def test_a_package_that_is_not_installed_has_no_version(tmp_path, monkeypatch):
    monkeypatch.setattr(manifest, "_PACKAGES", ("no-such-package",))
    command = prepare(tmp_path, ("table4",), seeds="24,")
    plant(command)
    found = command.write_manifest(12.345)
    assert Manifest.load(command.folder) == found
    assert found.versions["no-such-package"] is None and found.wall_seconds == 12.3
    assert (command.folder / found.store).resolve() == command.store.root.resolve()


def test_a_store_at_an_address_is_named(tmp_path):
    address = f"file://{tmp_path / 'there'}"
    command = prepare(tmp_path / "out", ("table4",), seeds="24,", store=address)
    plant(command)
    found = command.write_manifest()
    assert found.store_address == address and found.open_store(command.folder).address == address


@pytest.mark.parametrize("content", [None, b"{", b"[1]", b"\xff\xfe"], ids=["none", "cut", "a list", "no text"])
def test_a_file_that_is_not_a_manifest_is_named_by_load_and_not_found(tmp_path, content):
    if content is not None:
        (tmp_path / MANIFEST).write_bytes(content)
    assert Manifest.find(tmp_path) is None and corpus_hash(tmp_path) is None
    with pytest.raises(NotThisFormat, match=r"manifest\.json .*run the table again"):
        Manifest.load(tmp_path)


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"seeds": ["24"]}, r"seeds\[0\]"),
        ({"corpus": 3}, "corpus"),
        ({"jobs": None}, "jobs"),
        ({"failed": [{}]}, "key"),
        ({"store": "a\0b"}, "store has .*no path"),
        ({"store_address": ""}, "store_address has .*no path"),
        ({"source": {"data": "a" * 5000}}, "data has .*no path"),
        ({"config_dirs": ["\0"]}, "config_dirs has"),
        ({"git_commit": "HEAD"}, "git_commit = 'HEAD' is no commit"),
        ({"builds": {"MKL": "\x1b[0m"}}, "builds has"),
        ({"seeds": list(range(10_001))}, "10001 seeds and 1 tables, not 1 to 10000"),
    ],
)
def test_a_value_of_a_wrong_type_is_named(smoke_results, tmp_path, change, key):
    content = json.loads((smoke_results / MANIFEST).read_text()) | change
    (tmp_path / MANIFEST).write_text(json.dumps(content))
    with pytest.raises(NotThisFormat, match=key):
        Manifest.load(tmp_path)


def test_the_corpus_of_a_folder_is_known_whatever_the_format(tmp_path):
    (tmp_path / MANIFEST).write_text('{"corpus": {"hash": "abc"}}')
    assert corpus_hash(tmp_path) == "abc" and Manifest.find(tmp_path) is None
