"""`replicate runs list` and `show`: what they print about the runs of a store."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from replicate.machine import processor
from replicate.provenance import builds, in_words, revision
from replicate.store.record import CHECKPOINT, PREDICTIONS, RECORD, digest
from replicate.store.versions import code_version
from replicate.training.methods.logits import LogitsSettings
from tests.cli.conftest import STUDENT
from tests.cli.sizes import in_kb
from tests.planted import damage, result
from tests.small_runs import small_corpus

ANOTHER = "0123456789abcdef0123"


def test_list_whole_output(replicate: Callable, store, keys):
    sizes = [in_kb(store.root / key) for key in keys]
    status, stdout, stderr = replicate("runs", "list", "--store", store.root)
    assert status == 0
    header = "key                   dev F1  epochs  seed  seconds    size  version  device  corpus  arm      protocol"
    order = [(2, "both   ", 24), (0, "speech ", 24), (1, "speech ", 25), (3, "student", 24)]
    lines = [
        f"{keys[i]}   0.875       3    {seed}      1.2  {sizes[i]}  this     cpu     small   {arm}  paper"
        for i, arm, seed in order
    ]
    assert stdout.splitlines() == [header, *lines]
    assert stderr == f"Next: replicate runs show {keys[2]} --store {store.root}\n"


def test_list_filters_by_arm_and_corpus(replicate, store, keys):
    status, stdout, _ = replicate("runs", "list", "--store", store.root, "--arm", "speech", "--corpus", "small")
    assert status == 0 and [line.split()[0] for line in stdout.splitlines()] == ["key", *keys[:2]]
    (store.root / ANOTHER).mkdir()
    for option, value in (("--arm", "x"), ("--corpus", "y")):
        status, stdout, stderr = replicate("runs", "list", "--store", store.root, option, value)
        assert (status, stdout) == (0, "")
        assert stderr == f"no such run in {store.root}: arms are both, speech, student; corpora small\n"


def test_list_as_json_has_no_test_score(replicate, store, keys):
    status, stdout, stderr = replicate("runs", "list", "--store", store.root, "--json", "--arm", "both")
    assert (status, stderr) == (0, "")
    (entry,) = json.loads(stdout)
    assert (entry["key"], entry["dev_f1"], entry["seed"], entry["current"]) == (keys[2], 0.875, 24, True)
    assert "test" not in stdout


def test_list_names_a_damaged_run(replicate, store, keys):
    (store.root / keys[0] / RECORD).write_text("{")
    size = in_kb(store.root / keys[0])
    status, stdout, _ = replicate("runs", "list", "--store", store.root)
    assert status == 0
    assert stdout.splitlines()[-1].split() == [keys[0], "damaged", "-", "-", "-", *size.split(), *["-"] * 5]


def test_list_marks_other_versions(replicate, store, keys, monkeypatch):
    monkeypatch.setattr(torch, "__version__", "0.0")
    _, stdout, _ = replicate("runs", "list", "--store", store.root)
    assert [line.split()[7] for line in stdout.splitlines()[1:]] == ["other"] * 4


@pytest.mark.parametrize("there", [True, False])
def test_an_empty_store_is_named(replicate, store, there):
    if there:
        store.root.mkdir(parents=True)
    assert replicate("runs", "list", "--store", store.root) == (
        0,
        "",
        f"no runs in {store.root}: `replicate run table2` trains some\n",
    )
    assert replicate("runs", "list", "--store", store.root, "--json") == (0, "[]\n", "")
    if there:
        assert replicate("check", "store", "--store", store.root) == (0, "", f"0 runs in {store.root}, none damaged\n")
        assert replicate("runs", "prune", "--store", store.root) == (0, "", f"nothing to remove in {store.root}\n")
    assert "error (unknown run)" in replicate("runs", "show", "a", "--store", store.root).stderr
    assert store.root.exists() is there


def test_show_whole_output(replicate, store, keys):
    folder = store.root / keys[3]
    record = json.loads((folder / RECORD).read_text())
    status, stdout, stderr = replicate("runs", "show", keys[3][:12], "--store", store.root)
    assert (status, stderr) == (0, "")
    shown = {name: "" if value == [] else value for name, value in record["model"].items()}
    model = ", ".join(f"{name} {value}".rstrip() for name, value in shown.items())
    assert stdout.splitlines() == [
        f"run         {folder}",
        "arm         student",
        "            train A, contexts A, select A, masked False, audio audio, context_layers 1, gnn_heads 2, "
        "window 5/5, dropout 0.1, context transformer, causal False, memory 64, fusion early, dialogue_share 1.0, "
        "label_noise 0.0, epoch_share 1.0, privileged_noise 0.0, hidden 100, project False",
        "method      triplet, nll_weight 1.0, weights fixed, weights_rate 0.01, triplet_weight 1.0",
        f"teacher     both, run {keys[2]}",
        "protocol    paper",
        "            attend_padding False, triplet one, masking.strategy scenarios, masking.unit utterance, "
        "masking.none 0.1, masking.audio 0.3, "
        "masking.privileged 0.3, masking.random 0.3, masking.start 0.2, masking.length 1, "
        "masking.unimodal_none 0.25, masking.schedule constant, hubert.projection learned, hubert.order time, "
        "model.context_layers 2, model.gnn_heads 7, model.dropout 0.1",
        "budget      epochs 2, batch 2, learning_rate 0.001, weight_decay 1e-08, feed_forward 2048, steps 0",
        "seed        24",
        f"corpus      small ({record['corpus']['hash'][:12]}), classes no, yes",
        "trained by  this version",
        f"            replicate {record['versions']['replicate']}, torch {torch.__version__}, torch_geometric "
        f"{record['versions']['torch_geometric']}, code {code_version()}, "
        + ", ".join(f"{name} {version}" for name, version in record["versions"].items() if name.startswith("source")),
        f"            {in_words(*revision())}",
        f"            processor {processor()}",
        "            " + ", ".join(f"{name} {value}" for name, value in builds("cpu").items()),
        "trained     1.2 s on cpu",
        f"model       streams audio, {model}",
        "",
        "epoch  train loss  dev loss  dev F1  learning rate",
        "    1      0.7500    0.6250   0.250          0.001",
        "    2      0.5000    0.5000   0.875          0.001  best",
        "    3      0.2500    0.7500   0.500         0.0001",
        "",
        f"dev F1, A inference     {dev_f1():.3f}",
        f"checkpoint.safetensors  {in_kb(folder / CHECKPOINT)}",
        f"predictions.npz         {in_kb(folder / PREDICTIONS)}",
        f"run.json                {in_kb(folder / RECORD)}",
    ]


def dev_f1() -> float:
    """Of the planted runs, whose first dev utterance is taken for the other class."""
    from sklearn.metrics import f1_score

    (dialogue,) = small_corpus().split("dev")
    predicted = dialogue.labels.copy()
    predicted[0] = 1 - predicted[0]
    return f1_score(dialogue.labels, predicted, average="weighted")


def test_show_prints_the_losses_that_a_distillation_method_logged(replicate, store):
    spec = replace(STUDENT, arm=replace(STUDENT.arm, distillation=LogitsSettings(temperature=3.0)))
    corpus = small_corpus()
    planted = result(spec, corpus, {})
    curve = [replace(epoch, logged={"logits": epoch.epoch / 4, "nll": 0.5}) for epoch in planted.curve]
    store.put("b" * 20, spec, corpus, "cpu", replace(planted, curve=tuple(curve)), [ANOTHER])
    _, stdout, _ = replicate("runs", "show", "b" * 20, "--store", store.root)
    settings = "logits, nll_weight 1.0, weights fixed, weights_rate 0.01, logits_weight 1.0, temperature 3.0"
    assert f"method      {settings}\n" in stdout
    assert "            best epoch: logits 0.5, nll 0.5\n" in stdout


def test_show_names_a_missing_teacher(replicate, store, keys):
    shutil.rmtree(store.root / keys[2])
    _, stdout, _ = replicate("runs", "show", keys[3], "--store", store.root)
    assert f"teacher     both, run {keys[2]}, not in the store\n" in stdout


def test_show_prints_the_record_of_an_earlier_version(replicate, store, keys):
    path = store.root / keys[0] / RECORD
    content = json.loads(path.read_text())
    del content["provenance"]
    path.write_text(json.dumps(content | {"sha256": digest(content)}))
    status, stdout, _ = replicate("runs", "show", keys[0], "--store", store.root)
    assert status == 0 and "            commit, processor and builds: not recorded\n" in stdout
    assert json.loads(replicate("runs", "show", keys[0], "--store", store.root, "--json").stdout)["provenance"] is None


def test_show_as_json_is_the_record(replicate, store, keys):
    status, stdout, stderr = replicate("runs", "show", keys[0], "--store", store.root, "--json")
    assert (status, stderr) == (0, "")
    assert json.loads(stdout) == json.loads((store.root / keys[0] / RECORD).read_text())
    assert json.loads(stdout)["provenance"]["git_commit"] == revision().commit


def test_show_refuses_an_unknown_key_an_ambiguous_key_and_a_damaged_run(replicate, store, keys):
    for prefix in ("a" + ANOTHER[1:], "ab" + ANOTHER[2:]):
        (store.root / prefix).mkdir()
    status, stdout, stderr = replicate("runs", "show", "xyz", "--store", store.root)
    assert (status, stdout) == (1, "")
    assert stderr == (
        f"error (unknown run): no run in {store.root} has a key that begins with 'xyz': see `replicate runs list`\n"
    )
    status, stdout, stderr = replicate("runs", "show", "a", "--store", store.root)
    assert (status, stdout, stderr.count("\n")) == (1, "", 1)
    several = 2 + sum(key.startswith("a") for key in keys)
    assert stderr.startswith(f"error (unknown run): {several} runs in {store.root} begin with 'a'")
    assert "give more of the key" in stderr
    assert replicate("runs", "show", "", "--store", store.root)[0] == 2
    damage(store, keys[0])
    status, stdout, stderr = replicate("runs", "show", keys[0], "--store", store.root)
    assert (status, stdout, stderr.count("\n")) == (1, "", 1) and stderr.startswith("error (corrupt run): ")


@pytest.mark.parametrize("command", [["check", "store"], ["runs", "prune", "--yes"]])
def test_a_store_that_does_not_exist_is_not_an_empty_one(replicate, tmp_path, command):
    status, stdout, stderr = replicate(*command, "--store", tmp_path / "mistyped")
    assert (status, stdout) == (2, "") and "no store at" in stderr and "mistyped" in stderr


def test_a_store_at_an_address_is_downloaded_first(replicate, store, keys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    address = f"file://{store.root}"
    shutil.copytree(store.root / keys[0], Path("results/runs") / ("0" * 20))  # a run of this machine alone
    status, stdout, stderr = replicate("runs", "list", "--store", address)
    assert status == 0 and {line.split()[0] for line in stdout.splitlines()[1:]} == set(keys)
    assert stderr.startswith(f"downloaded 4 runs from {address} to results/.cache/")
    assert len(list(Path("results/runs").iterdir())) == 1
    assert stderr.endswith(f"Next: replicate runs show {keys[2]} --store {address}\n")
    damage(store, keys[0])  # at the address alone: the copy here is as it was written
    assert replicate("check", "store", "--store", address).status == 0
    assert replicate("runs", "show", keys[1], "--store", address).status == 0
    shutil.rmtree(store.root / keys[0])  # another machine removed it
    listed = replicate("runs", "list", "--store", address).stdout
    assert {line.split()[0] for line in listed.splitlines()[1:]} == set(keys[1:])
    assert "error (cannot write)" in replicate("runs", "list", "--store", "nonsense://x").stderr
