"""Compare both forms of the model with recorded outputs of the original code (``replicate check parity``).

Recorded training runs need care. The gradient of a bias in front of BatchNorm is zero except for rounding errors; Adam
normalises them, so that these biases move by about 1e-4 in 10 steps. This has no effect in training, where BatchNorm
subtracts the mean, but it has in eval mode, where the running mean lags behind; and a ReLU whose input is within
rounding of 0 can go either way. So final outputs can only agree to 1e-5 if every sum is computed in the original's
order. Therefore the reference form is trained on edges in that order, and both forms are evaluated with its weights at
every step and at the end. The differences of each form trained by itself are also shown, but not checked.

Processors also round differently. The effect of rounding alone on the final outputs is measured by three trainings that
differ only in the order of sums. Final outputs must agree to 1e-5, or within a few times that effect; losses must
always agree to 1e-5.
"""

from __future__ import annotations

import copy
import itertools
import json
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch.nn.utils.rnn import pad_sequence

from replicate.errors import NotThisFormat
from replicate.model.cogmen import COGMEN, Form, Output
from replicate.model.released_weights import load_original
from replicate.model.window_graph import Edges, edge_list
from replicate.rng import deterministic
from replicate.training.config import Budget
from replicate.training.data import Batch
from replicate.training.distillation.triplet import triplet_loss
from replicate.training.trainer import make_optimizer

TOLERANCE = 1e-5
# Final outputs may differ by up to this many times the effect of rounding alone.
ROUNDING = 4
# A ReLU with an input near 0 can make the effect of rounding large; a difference above this is never accepted.
MOST = 0.1
FORMS: tuple[Form, ...] = get_args(Form)
_OUTPUTS = ("node", "graph", "log_prob")


@dataclass(frozen=True)
class Comparison:
    """Largest absolute difference between one recorded output and ours."""

    file: str
    form: str
    setting: str
    output: str
    difference: float
    judged: bool = True
    tolerance: float = TOLERANCE

    @property
    def passed(self) -> bool:
        """Whether the difference is below the tolerance (NaN is not), or is not checked."""
        return self.difference < self.tolerance or not self.judged


def compare(path: Path) -> Iterator[Comparison]:
    """Yield all comparisons that a recorded file allows: of a forward pass, a training run, or the triplet loss.

    Raises:
        NotThisFormat: the file is not a recording.
    """
    arrays = _read(path)
    try:
        if "negative_index" in arrays:
            yield from (Comparison(path.name, "released", "triplet", *found) for found in _triplet(arrays))
            return
        meta: dict[str, Any] = json.loads(str(arrays["meta"]))
        streams = {"a": ("audio",), "v": ("visual",), "av": ("audio", "visual")}[meta["modalities"]]
        weights = {k[7:]: torch.from_numpy(v) for k, v in arrays.items() if k.startswith("weight/")}
        dialogues = sorted({int(k.split("/")[1]) for k in arrays if k.startswith("input/")})
        inputs = [_batch(arrays, [i], streams) for i in dialogues]
        options: dict[str, Any] = {
            "window": (meta.get("window_past", 5), meta.get("window_future", 5)),
            "encoder_heads": meta.get("encoder_heads"),
            "dropout": meta.get("dropout", 0.0),
        }
        whole = _batch(arrays, dialogues, streams)
        with deterministic():
            if "losses" in arrays:
                found = _trajectories(weights, options, inputs, meta, arrays)
            else:
                found = _forward(weights, options, inputs, whole, arrays)
            for comparison in found:
                yield Comparison(path.name, *comparison)
    except (KeyError, IndexError, TypeError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise NotThisFormat(
            f"{path} is not a recording of the original model ({type(error).__name__}: {reason})"
        ) from error


def _triplet(recorded: dict[str, NDArray[Any]]) -> Iterator[tuple[str, float]]:
    """Compare the released triplet loss and its gradient with respect to the student's embeddings."""
    student = torch.from_numpy(recorded["student"]).requires_grad_()
    negative = torch.from_numpy(recorded["negative_index"]).long()
    loss = triplet_loss(student, torch.from_numpy(recorded["teacher"]), negative, "n-way")
    (gradient,) = torch.autograd.grad(loss, student)
    yield "loss", _difference(loss.detach().numpy(), recorded["loss"])
    yield "grad", _difference(gradient.numpy(), recorded["grad"])


Found = Iterator[tuple[Form, str, str, float, bool] | tuple[Form, str, str, float, bool, float]]


def _forward(
    weights: dict[str, torch.Tensor],
    options: dict[str, Any],
    inputs: list[Batch],
    whole: Batch,
    recorded: dict[str, NDArray[Any]],
) -> Found:
    for form, (setting, batches, attend_padding) in itertools.product(
        FORMS,
        (
            ("each_alone", inputs, False),
            # With padding masked, dialogues in one batch must give the same outputs as each alone.
            ("each_alone, batched", [whole], False),
            ("batch_padded", [whole], True),
        ),
    ):
        model = load_original(weights, attend_padding=attend_padding, **options)
        with torch.no_grad():
            outputs = [model(batch.x, batch.lengths, batch.speakers, form) for batch in batches]
        for name in _OUTPUTS:
            ours = torch.cat([getattr(output, name) for output in outputs]).numpy()
            yield form, setting, name, _difference(ours, recorded[f"{setting.split(',')[0]}/{name}"]), True
        if setting == "batch_padded" and "batch_padded/loss" in recorded:
            loss = F.nll_loss(outputs[0].log_prob, whole.packed_labels())
            yield form, setting, "loss", _difference(loss.numpy(), recorded["batch_padded/loss"]), True


def _trajectories(
    weights: dict[str, torch.Tensor],
    options: dict[str, Any],
    inputs: list[Batch],
    meta: dict[str, Any],
    recorded: dict[str, NDArray[Any]],
) -> Found:
    batches = [_join(inputs[i : i + meta["batch"]]) for i in range(0, len(inputs), meta["batch"])]

    def trained(forward: Forward, watch: Form | None = None) -> tuple[COGMEN, list[float], list[float]]:
        """Return the trained model, its losses, and the losses of the form ``watch`` with the same weights."""
        model = load_original(weights, **options).train()
        optimizer = make_optimizer([model], Budget(learning_rate=meta["lr"], weight_decay=meta["weight_decay"]))
        losses, watched = [], []
        for batch in batches * meta["epochs"]:
            if watch is not None:
                # On a copy, because a forward pass in training mode changes BatchNorm's running mean.
                output = _by_form(watch)(copy.deepcopy(model), batch)
                watched.append(float(F.nll_loss(output.log_prob.detach(), batch.packed_labels())))
            loss = F.nll_loss(forward(model, batch).log_prob, batch.packed_labels())
            losses.append(float(update(optimizer, loss)))
        return model.eval(), losses, watched

    def last(model: COGMEN, form: Form) -> NDArray[Any]:
        with torch.no_grad():
            outputs = [_by_form(form)(model, batch) for batch in batches]
        return torch.cat([output.log_prob for output in outputs]).numpy()

    theirs, theirs_last = recorded["losses"], recorded["final_log_prob"]
    model, losses, watched = trained(_in_original_order, watch="banded")
    alone = {form: trained(_by_form(form)) for form in FORMS}
    moved = [_difference(last(found, form), last(model, form)) for form, (found, _, _) in alone.items()]
    judged: tuple[tuple[Form, list[float]], ...] = (("reference", losses), ("banded", watched))
    for form, values in judged:
        yield form, "trained, same order", "losses", _difference(np.array(values), theirs), True
        rounding = min(max(TOLERANCE, ROUNDING * max(moved)), MOST)
        yield form, "trained, same order", "log_prob", _difference(last(model, form), theirs_last), True, rounding
    for form, (found, values, _) in alone.items():
        yield form, "trained by itself", "losses", _difference(np.array(values), theirs), False
        yield form, "trained by itself", "log_prob", _difference(last(found, form), theirs_last), False


Forward = Callable[[COGMEN, Batch], Output]


def _by_form(form: Form) -> Forward:
    return lambda model, batch: model(batch.x, batch.lengths, batch.speakers, form)


def _in_original_order(model: COGMEN, batch: Batch) -> Output:
    """Run the reference form with edges in the original's order, the iteration order of a Python set of (j, i)."""
    node, band = model.nodes(batch.x, batch.lengths, batch.speakers, "reference")
    edges = edge_list(band, len(node))
    past, future = model.config.past, model.config.future
    order: list[tuple[int, int]] = []
    start = 0
    for n in batch.lengths.tolist():
        edges_of_dialogue: set[tuple[int, int]] = set()
        for j in range(n):
            edges_of_dialogue = edges_of_dialogue.union(
                {(j, i) for i in range(max(0, j - past), min(n, j + future + 1))}
            )
        order += [(start + j, start + i) for j, i in edges_of_dialogue]
        start += n
    place = {edge: k for k, edge in enumerate(zip(*edges.pairs.tolist(), strict=True))}
    chosen = torch.tensor([place[edge] for edge in order])
    return model.classify(node, Edges(edges.pairs[:, chosen], edges.relation[chosen]))


def _difference(ours: NDArray[Any], recorded: NDArray[Any]) -> float:
    if ours.shape != recorded.shape:
        raise ValueError(f"recorded {recorded.shape}, computed {ours.shape}")
    return float(np.abs(ours.astype(np.float64) - recorded).max())


def _read(path: Path) -> dict[str, NDArray[Any]]:
    if not path.exists():
        raise NotThisFormat(f"there is no file {path}: give .npz files of recorded outputs")
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays}
    except (OSError, ValueError, zipfile.BadZipFile, AttributeError, EOFError) as error:
        raise NotThisFormat(
            f"cannot read {path} as a recording ({type(error).__name__}): give .npz files of recorded outputs, "
            "without pickles"
        ) from error


def _batch(arrays: dict[str, NDArray[Any]], dialogues: list[int], streams: tuple[str, ...]) -> Batch:
    rows = [
        torch.from_numpy(np.concatenate([arrays[f"input/{i}/{name}"] for name in streams], axis=1)) for i in dialogues
    ]
    return Batch.whole(
        pad_sequence(rows, batch_first=True),
        torch.tensor([len(row) for row in rows]),
        pad_sequence([torch.from_numpy(arrays[f"input/{i}/speaker"]) for i in dialogues], batch_first=True),
        pad_sequence([torch.from_numpy(arrays[f"input/{i}/label"]) for i in dialogues], batch_first=True),
    )


def _join(batches: list[Batch]) -> Batch:
    """Join batches of one dialogue each into one batch."""
    return Batch.whole(
        pad_sequence([batch.x[0] for batch in batches], batch_first=True),
        torch.cat([batch.lengths for batch in batches]),
        pad_sequence([batch.speakers[0] for batch in batches], batch_first=True),
        pad_sequence([batch.labels[0] for batch in batches], batch_first=True),
    )


def update(optimizer: torch.optim.Optimizer, loss: torch.Tensor) -> torch.Tensor:
    """Take one optimiser step; return the loss without its graph."""
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    return loss.detach()
