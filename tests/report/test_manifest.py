import json
import os
import platform
import shlex
from importlib.metadata import version

import torch

import replicate
from replicate.corpus.synthetic import generate
from replicate.experiment.campaign import Campaign
from replicate.experiment.collect import tables
from replicate.experiment.manifest import read
from replicate.report import manifest
from replicate.store.keys import code_version
from replicate.store.store import Store


def test_what_a_smoke_table_needs_to_be_repeated(smoke_results):
    content = json.loads((smoke_results / "manifest.json").read_text())
    corpus = generate("synthetic-tiny")
    assert content["tables"] == ["table2"]
    assert content["corpus"] == {"name": "synthetic-tiny", "hash": corpus.hash, "notes": list(corpus.notes)}
    assert (content["profile"], content["protocol"], content["seeds"]) == ("smoke", "paper", [24, 25])
    assert content["source"] == {"data": "synthetic-tiny", "data_dir": None}
    assert (content["device"], content["jobs"]) in {("cpu", 1), ("cuda", 1)}
    assert content["wall_seconds"] > 0
    assert content["machine"]["cores"] == os.cpu_count() and content["machine"]["system"] == platform.platform()
    versions = content["versions"]
    assert versions["replicate"] == replicate.__version__ and versions["code"] == code_version()
    assert versions["python"] == platform.python_version() and versions["torch"] == version("torch")
    assert version("torch") == torch.__version__.split("+")[0] or version("torch") == torch.__version__
    assert {"torch-geometric", "numpy", "scipy", "scikit-learn", "onnxruntime"} <= set(versions)


def test_its_runs_are_found_from_where_it_lies(smoke_results):
    content = json.loads((smoke_results / "manifest.json").read_text())
    store = Store(smoke_results / content["store"])
    runs = [store.get(key) for key in content["runs"]]
    arms = ("COGMEN-A", "COGMEN-AV", "COGMEN-Mask", "Student-of-Mask", "COGMEN-A-masked", "COGMEN-Mask-deep")
    assert sorted((run.record.arm.name, run.record.seed) for run in runs) == sorted(
        (arm, seed) for arm in arms for seed in (24, 25)
    )
    assert content["deployable"] == content["runs"]


def test_the_command_in_it_repeats_it(smoke_results, smoke_out):
    words = shlex.split(json.loads((smoke_results / "manifest.json").read_text())["command"])
    assert words[:3] == ["replicate", "run", "table2"]
    options = dict(zip(words[3::2], words[4::2], strict=True))
    assert options == {
        "--data": "synthetic-tiny",
        "--profile": "smoke",
        "--protocol": "paper",
        "--seeds": "24,25",
        "--device": options["--device"],
        "--out": str(smoke_out),
    }


def test_training_took_what_its_runs_took(smoke_results):
    content = json.loads((smoke_results / "manifest.json").read_text())
    store = Store(smoke_results / content["store"])
    seconds = sum(store.record(key).seconds for key in content["runs"])
    assert content["training_seconds"] == round(seconds, 1) > 0
    assert content["keep_dropped"] is False


def test_a_package_that_is_not_there_has_no_version(smoke_out, tmp_path, monkeypatch):
    campaign = Campaign.prepare(["table2"], "smoke", "paper", None, None, None, "cpu", 1, smoke_out)
    results = tables(campaign)
    monkeypatch.setattr(manifest, "_PACKAGES", ("no-such-package",))
    monkeypatch.setattr(Campaign, "folder", property(lambda self: tmp_path))
    content = manifest.write(campaign, results, 12.345)
    assert read(tmp_path) == content
    assert content["versions"]["no-such-package"] is None and content["wall_seconds"] == 12.3
    assert (tmp_path / content["store"]).resolve() == campaign.store.root.resolve()
