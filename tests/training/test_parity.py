import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from replicate.errors import NotThisFormat
from replicate.model.released_weights import load_original
from replicate.model.window_graph import build_band, dialogue_numbers, edge_list
from replicate.training import parity
from replicate.training.config import Budget
from replicate.training.parity import Comparison, compare, update
from replicate.training.trainer import make_optimizer

COMMITTED = Path(__file__).parents[1] / "golden"
SHARED = Path(os.environ.get("REPLICATE_SHARED") or Path(__file__).parents[3] / "shared") / "golden"
KNOWN = {"forward_a_causal", "forward_a_deep", "forward_a_self", "forward_av", "train_av"}
OTHERS = sorted(KNOWN | {path.stem for pattern in ("forward_*", "train_*") for path in SHARED.glob(f"{pattern}.npz")})


def golden(name):
    for folder in (COMMITTED, SHARED):
        if (folder / f"{name}.npz").is_file():
            return folder / f"{name}.npz"
    pytest.skip(f"{SHARED / name}.npz is not there: set REPLICATE_SHARED to test all recordings")


def edited(tmp_path, name, **arrays):
    with np.load(golden(name)) as recorded:
        np.savez(tmp_path / "edited.npz", **{**recorded, **arrays})
    return tmp_path / "edited.npz"


@pytest.mark.parametrize(
    "name", ["forward_a", "train_a", *(name for name in OTHERS if name not in ("forward_a", "train_a"))]
)
def test_both_forms_repeat_the_original(name):
    found = list(compare(golden(name)))
    assert {c.form for c in found if c.judged} == {"reference", "banded"}
    settings = {c.setting for c in found if c.judged}
    expected = {"trained, same order"} if "train" in name else {"each_alone", "each_alone, batched", "batch_padded"}
    assert settings == expected
    assert [c for c in found if not c.passed] == []
    # Rounding is accepted as a reason only for differences after training.
    assert {(c.setting, c.output) for c in found if c.tolerance != 1e-5} <= {("trained, same order", "log_prob")}
    assert max(c.tolerance for c in found) <= 0.1


def test_the_released_triplet_loss_and_its_gradient():
    found = list(compare(golden("triplet")))
    assert [(c.form, c.setting, c.output, c.judged, c.tolerance) for c in found] == [
        ("released", "triplet", "loss", True, 1e-5),
        ("released", "triplet", "grad", True, 1e-5),
    ]
    assert all(c.passed for c in found)


@pytest.mark.parametrize(
    ("array", "failed"),
    [
        ("loss", {"loss"}),
        ("grad", {"grad"}),
        ("student", {"loss", "grad"}),
        ("teacher", {"loss", "grad"}),
        ("negative_index", {"loss", "grad"}),
    ],
)
def test_a_wrong_triplet_fails(tmp_path, array, failed):
    with np.load(golden("triplet")) as arrays:
        wrong = arrays[array].copy()
    wrong.flat[0] += 2e-5 if array in ("loss", "grad") else 1
    assert {c.output for c in compare(edited(tmp_path, "triplet", **{array: wrong})) if not c.passed} == failed


@pytest.mark.parametrize(("array", "by"), [("losses", 2e-5), ("final_log_prob", 0.05)])
def test_other_recorded_losses_fail(tmp_path, array, by):
    with np.load(golden("train_a")) as arrays:
        wrong = arrays[array].copy()
    wrong.flat[-1] += by
    found = list(compare(edited(tmp_path, "train_a", **{array: wrong})))
    output = {"losses": "losses", "final_log_prob": "log_prob"}[array]
    assert {(c.form, c.output) for c in found if not c.passed} == {("reference", output), ("banded", output)}


def test_another_learning_rate_fails(tmp_path):
    with np.load(golden("train_a")) as arrays:
        meta = json.loads(str(arrays["meta"]))
    path = edited(tmp_path, "train_a", meta=np.array(json.dumps(meta | {"lr": meta["lr"] * 1.01})))
    assert {c.output for c in compare(path) if not c.passed} >= {"losses"}


@pytest.mark.parametrize(
    ("difference", "tolerance", "judged", "passed"),
    [
        (9e-6, 1e-5, True, True),
        (1e-5, 1e-5, True, False),
        (2e-4, 1e-5, True, False),
        (2e-4, 3e-4, True, True),
        (3e-4, 3e-4, True, False),
        (1.0, 1e-5, False, True),
        (float("nan"), 1.0, True, False),
    ],
)
def test_passed_is_under_the_tolerance(difference, tolerance, judged, passed):
    assert Comparison("f", "banded", "s", "o", difference, judged, tolerance).passed is passed


@pytest.mark.parametrize(
    "name", ["forward_a", *(name for name in OTHERS if name.startswith("forward") and name != "forward_a")]
)
def test_the_graph_is_the_original_graph(name):
    with np.load(golden(name)) as arrays:
        lengths = [len(arrays[f"input/{i}/speaker"]) for i in range(sum(k.endswith("speaker") for k in arrays))]
        speakers = torch.from_numpy(np.concatenate([arrays[f"input/{i}/speaker"] for i in range(len(lengths))]))
        theirs = [*arrays["batch_padded/edge_index"], arrays["batch_padded/edge_type"]]
    window = {"forward_a_causal": (5, 0), "forward_a_self": (0, 0)}.get(name, (5, 5))
    band = build_band(dialogue_numbers(torch.tensor(lengths)), speakers, *window)
    pairs, relation = edge_list(band, sum(lengths))
    ours = sorted(zip(*pairs.tolist(), relation.tolist(), strict=True))
    assert ours == list(zip(*(array.tolist() for array in theirs), strict=True))


@pytest.mark.parametrize("name", ["forward_a", "train_a"])
@pytest.mark.parametrize(
    "weight", ["gcn.conv1.root", "gcn.conv2.lin_value.weight", "clf.lin2.bias", "rnn.transformer_out.bias"]
)
def test_one_changed_weight_fails(tmp_path, name, weight):
    with np.load(golden(name)) as arrays:
        wrong = arrays[f"weight/{weight}"].copy()
    wrong.flat[0] += 0.01
    found = list(compare(edited(tmp_path, name, **{f"weight/{weight}": wrong})))
    for form in ("reference", "banded"):
        assert [c for c in found if c.form == form and not c.passed]


def test_a_nan_fails(tmp_path):
    with np.load(golden("forward_a")) as arrays:
        wrong = arrays["each_alone/log_prob"].copy()
    wrong[3, 1] = np.nan
    failed = {
        (c.setting, c.output)
        for c in compare(edited(tmp_path, "forward_a", **{"each_alone/log_prob": wrong}))
        if not c.passed
    }
    assert failed == {("each_alone", "log_prob"), ("each_alone, batched", "log_prob")}


@pytest.mark.parametrize(
    "arrays",
    [
        {},
        {"a": np.zeros(3)},
        {"meta": np.array("not json")},
        {"meta": np.array("[]")},
        {"meta": np.array('{"modalities": "text"}')},
        {"meta": np.array('{"modalities": "a"}')},
        {"meta": np.array('{"modalities": "a"}'), "input/x/audio": np.zeros((2, 2))},
    ],
)
def test_an_npz_of_something_else_is_refused(tmp_path, arrays):
    np.savez(tmp_path / "other.npz", **arrays)
    with pytest.raises(NotThisFormat, match=r"other\.npz"):
        list(compare(tmp_path / "other.npz"))


def test_outputs_of_another_size_are_refused(tmp_path):
    path = edited(tmp_path, "forward_a", **{"each_alone/log_prob": np.zeros((20, 3), np.float32)})
    with pytest.raises(NotThisFormat, match=r"\(20, 3\)"):
        list(compare(path))


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04 cut off"])
def test_a_file_that_is_no_npz_is_refused(tmp_path, content):
    (tmp_path / "file.npz").write_bytes(content)
    with pytest.raises(NotThisFormat, match=r"file\.npz"):
        list(compare(tmp_path / "file.npz"))


def test_a_cut_off_recording_is_refused(tmp_path):
    shutil.copyfile(golden("forward_a"), tmp_path / "cut.npz")
    with (tmp_path / "cut.npz").open("r+b") as file:
        file.truncate(300_000)
    with pytest.raises(NotThisFormat, match=r"cut\.npz"):
        list(compare(tmp_path / "cut.npz"))


def test_pickles_are_not_loaded(tmp_path):
    np.savez(tmp_path / "pickled.npz", meta=np.array({"modalities": "a"}, dtype=object))
    with pytest.raises(NotThisFormat, match=r"pickled\.npz"):
        list(compare(tmp_path / "pickled.npz"))


def test_both_forms_train_alike_in_double_precision():
    """Rounding apart, the band has the reference's gradients: ten steps, on the start weights of a recording."""
    arrays = parity._read(COMMITTED / "train_a.npz")
    weights = {name[7:]: torch.from_numpy(a) for name, a in arrays.items() if name.startswith("weight/")}
    batches = [parity._batch(arrays, chosen, ("audio",)) for chosen in ([0, 1, 2, 3], [4, 5, 6, 7])]

    def trained(form):
        model = load_original(weights).double().train()
        optimizer = make_optimizer([model], Budget(learning_rate=1e-3, weight_decay=1e-8))
        losses = []
        for b in batches * 5:
            output = model(b.x.double(), b.lengths, b.speakers, form)
            losses.append(float(update(optimizer, F.nll_loss(output.log_prob, b.packed_labels()))))
        return losses

    reference, banded = trained("reference"), trained("banded")
    assert np.allclose(reference, banded, rtol=0, atol=1e-10) and len(set(reference)) == 10
