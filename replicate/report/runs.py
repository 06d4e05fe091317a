"""Stored runs in words: lines of a listing, and all that is known of one run. Test scores are in neither."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from replicate.store.inventory import Entry, teachers
from replicate.store.keys import versions
from replicate.store.record import Run
from replicate.store.store import Store
from replicate.training.metrics import weighted_f1

Lines = list[tuple[str, ...]]


def listing(entries: Sequence[Entry]) -> Lines:
    """A header and one line per run."""
    lines: Lines = [
        ("key", "dev F1", "epochs", "seed", "seconds", "size", "version", "device", "corpus", "arm", "protocol")
    ]
    for run in entries:
        if run.damaged is not None:
            lines.append((run.key, "damaged", "-", "-", "-", in_bytes(run.size), *["-"] * 5))
            continue
        numbers = (f"{run.dev_f1:.3f}", str(run.epochs), str(run.seed), f"{run.seconds:.1f}", in_bytes(run.size))
        version = "this" if run.current else "other"
        lines.append((run.key, *numbers, version, run.device, run.corpus, run.arm, run.protocol))
    return lines


def facts(run: Run, store: Store) -> Lines:
    """What a run is and what it came from, a line per subject.

    Raises:
        KeyError: another version wrote the record, with other keys.
    """
    record = run.record
    arm, protocol, corpus = dict(record["arm"]), dict(record["protocol"]), record["corpus"]
    arm_name, reading, method = arm.pop("name"), protocol.pop("name"), arm.pop("distillation", None)
    taught = {arm.pop("teacher") is not None, bool(arm.pop("unimodal_teachers", ()))}
    lines: Lines = [("run", str(run.folder)), ("arm", arm_name), ("", _values(arm))]
    if method:
        lines.append(("learns by", _values({"method": method.pop("method")} | method)))
        logged = record["curve"][record["best_epoch"] - 1].get("terms", {})
        lines.append(("", f"best epoch: {', '.join(f'{name} {value:.4g}' for name, value in logged.items())}"))
    for key, name, here in teachers(store, record) if True in taught else []:
        lines.append(("teacher", f"{name}, run {key or 'unknown'}" + ("" if here else ", not in the store")))
    wrote = {name: record["versions"].get(name) for name in versions()}
    return [
        *lines,
        ("protocol", reading),
        ("", _values(protocol)),
        ("budget", _values(record["budget"])),
        ("seed", str(record["seed"])),
        ("corpus", f"{corpus['name']} ({corpus['hash'][:12]}), classes {', '.join(corpus['labels'])}"),
        ("trained by", "this version" if wrote == versions() else "another version"),
        ("", _values(record["versions"])),
        ("trained", f"{record['seconds']:.1f} s on {record['device']}"),
        ("model", f"streams {'+'.join(record['streams'])}, {_values(record['model'])}"),
    ]


def curve(run: Run) -> Lines:
    """The learning curve; the best epoch is so on dev, in the context that the arm is selected in."""
    record = run.record
    lines: Lines = [("epoch", "train loss", "dev loss", "dev F1", "learning rate", "")]
    for line in record["curve"]:
        numbers = (f"{line['train_loss']:.4f}", f"{line['dev_loss']:.4f}", f"{line['dev_f1']:.3f}")
        best = "best" if line["epoch"] == record["best_epoch"] else ""
        lines.append((str(line["epoch"]), *numbers, f"{line['learning_rate']:g}", best))
    return lines


def dev_and_files(run: Run) -> Lines:
    """Dev weighted F1 in every context of the arm, computed from the stored predictions, and the run's files."""
    labels = run.labels("dev")
    lines: Lines = [
        (f"dev F1, {context} inference", f"{weighted_f1(labels, run.log_prob('dev', context)):.3f}")
        for context in run.record["arm"]["contexts"]
    ]
    return lines + [(path.name, in_bytes(path.stat().st_size)) for path in sorted(run.folder.iterdir())]


def in_bytes(number: int) -> str:
    """A size with a fitting unit."""
    for size, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if number >= size:
            return f"{number / size:.1f} {unit}"
    return f"{number} B"


def _values(content: dict[str, Any]) -> str:
    """``a 1, b.c 2`` of nested values."""
    words = []
    for key, value in content.items():
        if isinstance(value, dict):
            words += [f"{key}.{word}" for word in _values(value).split(", ")]
        else:
            words.append(f"{key} {'/'.join(map(str, value)) if isinstance(value, list) else value}")
    return ", ".join(words)
