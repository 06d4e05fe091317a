import json
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from replicate.store.record import PREDICTIONS, RECORD
from replicate.store.store import EMBEDDINGS
from tests.planted import damage
from tests.small_runs import teacher_outputs

GOLDEN = Path(__file__).parents[1] / "golden"
ANOTHER = "0123456789abcdef0123"


def test_parity_prints_every_comparison_and_passes(replicate):
    files = [GOLDEN / "forward_a.npz", GOLDEN / "train_a.npz", GOLDEN / "triplet.npz"]
    status, stdout, stderr = replicate("check", "parity", *files)
    assert status == 0 and "all below 1e-05" in stderr
    for form in ("reference", "banded"):
        for setting in ("each_alone", "batch_padded"):
            for output in ("node", "graph", "log_prob"):
                assert [line for line in stdout.splitlines() if {form, setting, output} <= set(line.split())]
    lines = [line.split(maxsplit=5) for line in stdout.splitlines()]
    assert [line[3] for line in lines if line[:3] == ["triplet.npz", "released", "triplet"]] == ["loss", "grad"]
    assert [line for line in stdout.splitlines() if "trained, same order  losses" in line and line.endswith("  ok")]
    assert "FAILED" not in stdout


@pytest.mark.parametrize(
    ("difference", "tolerance", "judged", "word"),
    [
        (1e-6, 1e-5, True, "ok"),
        (2e-5, 1e-5, True, "FAILED"),
        (1e-4, 6e-4, True, "ok: below 6e-04, 4 times the effect of rounding"),
        (1e-6, 6e-4, True, "ok"),
        (1e-3, 6e-4, True, "FAILED"),
        (1.0, 1e-5, False, "not judged: rounding, see docs/protocol-and-parity.md"),
    ],
)
def test_differences_within_rounding_are_marked(replicate, monkeypatch, difference, tolerance, judged, word):
    from replicate.training import parity

    found = parity.Comparison("f.npz", "banded", "trained, same order", "log_prob", difference, judged, tolerance)
    monkeypatch.setattr(parity, "compare", lambda path: iter([found]))
    status, stdout, _ = replicate("check", "parity", "f.npz")
    assert stdout == f"f.npz  banded     trained, same order  log_prob  {difference:.1e}  {word}\n"
    assert status == (3 if word == "FAILED" else 0)


def test_a_recording_that_does_not_exist_is_named(replicate, tmp_path):
    status, _, stderr = replicate("check", "parity", tmp_path / "nope.npz")
    assert status == 1 and f"there is no file {tmp_path / 'nope.npz'}: " in stderr


def test_a_wrong_recording_fails(replicate, tmp_path):
    with np.load(GOLDEN / "forward_a.npz") as arrays:
        content = dict(arrays)
    content["each_alone/graph"] = content["each_alone/graph"] + 2e-5
    np.savez(tmp_path / "wrong.npz", **content)
    status, stdout, stderr = replicate("check", "parity", tmp_path / "wrong.npz")
    assert status == 3 and "error (parity failed)" in stderr
    assert "FAILED" in stdout and "wrong.npz" in stderr


def test_a_store_without_damage_passes(replicate, store, keys):
    assert replicate("check", "store", "--store", store.root) == (0, "", f"4 runs in {store.root}, none damaged\n")
    assert replicate("check", "store", keys[0][:9], keys[0], "--store", store.root) == (
        0,
        "",
        f"1 run in {store.root}, none damaged\n",
    )


def test_each_damaged_run_is_a_line(replicate, store, keys):
    damage(store, keys[0], PREDICTIONS)
    (store.root / keys[2] / RECORD).unlink()
    status, stdout, stderr = replicate("check", "store", "--store", store.root)
    assert status == 3
    lines = {line.split()[2]: line for line in stdout.splitlines()}
    assert set(lines) == {str(store.root / keys[0]), str(store.root / keys[2])}
    assert f"{PREDICTIONS} has changed" in lines[str(store.root / keys[0])]
    assert stderr == (
        f"error (damaged runs): 2 of 4 runs in {store.root} damaged: train them again with --repair, or remove "
        "them with `replicate runs prune --damaged`\n"
    )
    assert replicate("check", "store", keys[1], "--store", store.root)[:2] == (0, "")
    assert replicate("check", "store", keys[2], "--store", store.root).status == 3
    assert "error (unknown run)" in replicate("check", "store", "xyz", "--store", store.root).stderr


def test_files_that_are_not_runs_are_listed(replicate, store, keys):
    for key in (keys[2], ANOTHER):
        store.teacher_outputs(key, lambda: teacher_outputs(torch.ones(2, 3)))
    cached, temporary = (
        store.root / EMBEDDINGS / f"{dot}{ANOTHER}.safetensors{x}" for dot, x in (("", ""), (".", ".x"))
    )
    temporary.touch()
    (store.root / ".incomplete-0123-x").mkdir()
    (store.root / "notes").mkdir()
    later = "`replicate runs prune` removes it once it is an hour old"
    expected = [
        f"embeddings of {ANOTHER} belong to no run: `replicate runs prune` removes them",
        f"{store.root / '.incomplete-0123-x'} is incomplete: {later}",
        f"{temporary} is incomplete: {later}",
        f"{store.root / 'notes'} is not a run: it is left alone",
        f"4 runs in {store.root}, none damaged",
    ]
    status, stdout, stderr = replicate("check", "store", "--store", store.root)
    assert (status, stdout, stderr.splitlines()) == (0, "", expected)
    cached.write_bytes(cached.read_bytes()[:-1])
    status, stdout, _ = replicate("check", "store", "--store", store.root)
    assert status == 0
    assert stdout == f"embeddings of {ANOTHER} are damaged: they are computed again when a student needs them\n"
    # With keys, only their runs are checked.
    assert replicate("check", "store", keys[2], "--store", store.root)[1:] == (
        "",
        f"1 run in {store.root}, none damaged\n",
    )


def test_a_long_check_prints_its_progress(replicate, store, keys, monkeypatch):
    clock = iter([0.0, 0.5, 2.5, 2.5, 3.0, 6.0, 6.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock, 6.0))
    status, _, stderr = replicate("check", "store", "--store", store.root)
    assert status == 0
    assert stderr.splitlines() == [
        "1 of 4 runs checked",
        "3 of 4 runs checked",
        f"4 runs in {store.root}, none damaged",
    ]


@pytest.fixture
def claims(tmp_path):
    """A results folder in which claim 1 is reproduced, 2 contradicted, 3 undecided and 4 not measured."""
    outcomes = ("reproduced", "contradicted", "undecided", None)
    content = [{"number": i, "text": f"text {i}", "outcome": each} for i, each in enumerate(outcomes, 1)]
    folder = tmp_path / "results" / "synthetic" / "quick-paper"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text("{}")
    (folder / "claims.json").write_text(json.dumps({"claims": content}))
    return folder


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_claim_passes_only_if_it_is_reproduced(replicate, claims, number):
    status, stdout, stderr = replicate("check", "claims", claims, "--claim", number)
    assert status == (0 if number == 1 else 3)
    outcome = ("reproduced", "contradicted", "undecided", "not all of its cells are measured")[number - 1]
    (line,) = [line.strip() for line in stdout.splitlines() if "text" in line]
    assert line == f"{number}. text {number}: {outcome}"
    if number > 1:
        short = (None, "contradicted", "undecided", "not measured")[number - 1]
        assert stderr == f"error (claim failed): 1 of 1 claim in {claims} not reproduced: {number} ({short})\n"


def test_without_a_number_all_measured_claims_are_checked(replicate, claims):
    status, stdout, stderr = replicate("check", "claims", claims.parents[1])
    assert status == 3 and all(f"{i}. text {i}" in stdout for i in (1, 2, 3, 4))
    assert "2 of 3 claims in" in stderr and "2 (contradicted), 3 (undecided)" in stderr
    assert replicate("check", "claims", claims, "--claim", 1, "--claim", 2).status == 3


@pytest.mark.parametrize("good", ["found as built", "not built in", "nothing found, as built", "not tested"])
@pytest.mark.parametrize("bad", ["missed", "found although not built in"])
def test_on_a_control_a_claim_passes_if_it_is_as_built(replicate, claims, good, bad):
    content = [{"number": i, "text": "text", "outcome": each} for i, each in enumerate((good, bad), 1)]
    (claims / "claims.json").write_text(json.dumps({"claims": content}))
    assert replicate("check", "claims", claims, "--claim", 1).status == 0
    status, stdout, stderr = replicate("check", "claims", claims)
    assert status == 3 and good in stdout and f"1 of 2 claims in {claims} not as built: 2 ({bad})" in stderr


def test_results_without_a_measured_claim_are_an_error(replicate, claims):
    content = [{"number": 4, "text": "text 4", "outcome": None}]
    (claims / "claims.json").write_text(json.dumps({"claims": content}))
    status, _, stderr = replicate("check", "claims", claims)
    expected = f"error (not measured): no claim is measured in {claims}: run table1 to table5\n"
    assert (status, stderr) == (1, expected)


def test_claims_that_do_not_exist(replicate, claims):
    status, _, stderr = replicate("check", "claims", claims, "--claim", 11)
    assert status == 2 and "there is no claim 11, only 1, 2, 3, 4" in stderr
    (claims / "claims.json").write_text('{"claims": [{}]}')
    assert "error (not this format)" in replicate("check", "claims", claims).stderr
    (claims / "claims.json").unlink()
    status, stdout, stderr = replicate("check", "claims", claims)
    assert (status, stdout) == (1, "") and "error (not this format)" in stderr and "claims.json" in stderr


def test_claims_of_a_trained_table_can_be_checked(replicate, smoke_results):
    status, stdout, stderr = replicate("check", "claims", smoke_results)
    assert status == 3 and "5 (missed)" in stderr
    assert "table2/COGMEN-Mask/A above (> 0) table2/COGMEN-A/A" in " ".join(stdout.split())


def test_a_changed_bundle_fails_its_check(replicate, smoke_bundle, tmp_path):
    folder = shutil.copytree(smoke_bundle.folder, tmp_path / "bundle")
    status, _, stderr = replicate("check", "bundle", folder)
    assert status == 0 and "ok        checksums" in stderr
    (folder / "README.md").write_text("changed")
    status, _, stderr = replicate("check", "bundle", folder)
    assert status == 3 and "error (export failed)" in stderr and "README.md" in stderr
    assert replicate("check", "bundle", tmp_path).status == 1  # not a bundle at all


def test_old_spellings_are_hidden_aliases(replicate, store, keys, smoke_bundle):
    damage(store, keys[0])
    assert replicate("runs", "verify", "--store", store.root) == replicate("check", "store", "--store", store.root)
    old, new = (replicate(*command, smoke_bundle.folder) for command in (("export", "check"), ("check", "bundle")))
    assert (old.status, old.stderr) == (new.status, new.stderr) and old.status == 0
    assert "verify" not in replicate("runs", "--help").stdout
    assert "\n  check " not in replicate("export", "--help").stdout
