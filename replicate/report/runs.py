"""Runs of a store as texts: a list of runs, and the details of one run. Neither shows test scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from replicate.provenance import Provenance, in_words
from replicate.store.inventory import Entry, teachers
from replicate.store.run import Run
from replicate.store.store import Store
from replicate.store.versions import other_versions

Lines = list[tuple[str, ...]]


def listing(entries: Sequence[Entry]) -> Lines:
    """Return a header and one line per run."""
    lines: Lines = [
        ("key", "dev F1", "epochs", "seed", "seconds", "size", "version", "device", "corpus", "arm", "protocol")
    ]
    for run in entries:
        if run.damaged is not None or run.other_format is not None:
            lines.append((run.key, run.other_format or "damaged", "-", "-", "-", in_bytes(run.size), *["-"] * 5))
            continue
        numbers = (f"{run.dev_f1:.3f}", str(run.epochs), str(run.seed), f"{run.seconds:.1f}", in_bytes(run.size))
        version = "this" if run.current else "other"
        lines.append((run.key, *numbers, version, run.device, run.corpus, run.arm, run.protocol))
    return lines


def facts(run: Run, store: Store) -> Lines:
    """Return arm, teachers, protocol, corpus, versions and model of a run, one line each."""
    record, arm, protocol = run.record, asdict(run.record.arm), asdict(run.record.protocol)
    del arm["name"], arm["teacher"], arm["unimodal_teachers"], protocol["name"]
    method = arm.pop("distillation")
    lines: Lines = [("run", str(run.folder)), ("arm", record.arm.name), ("", _values(arm))]
    if method:
        name = method.pop("method")
        lines.append(("method", f"{name}, {_values(method)}"))
        losses = ", ".join(f"{name} {value:.4g}" for name, value in record.best.logged.items())
        lines += [("", f"best epoch: {losses}")] if losses else []
    for teacher in teachers(store, record):
        where = "" if teacher.present else ", not in the store"
        lines.append(("teacher", f"{teacher.arm}, run {teacher.key or 'unknown'}{where}"))
    return [
        *lines,
        ("protocol", record.protocol.name),
        ("", _values(protocol)),
        ("budget", _values(asdict(record.budget))),
        ("seed", str(record.seed)),
        ("corpus", f"{record.corpus.name} ({record.corpus.hash[:12]}), classes {', '.join(record.corpus.labels)}"),
        ("trained by", "another version" if other_versions(record.versions) else "this version"),
        ("", _values(record.versions)),
        *_provenance(record.provenance),
        ("trained", f"{record.seconds:.1f} s on {record.device}"),
        ("model", f"streams {'+'.join(record.streams)}, {_values(asdict(record.model))}"),
    ]


def _provenance(found: Provenance | None) -> Lines:
    if found is None:
        return [("", "commit, processor and builds: not recorded")]
    return [
        ("", in_words(found.git_commit, found.git_clean)),
        ("", f"processor {found.processor}"),
        ("", _values(found.builds)),
    ]


def curve(run: Run) -> Lines:
    """Return the learning curve; the best epoch is selected on dev, in the arm's ``select`` context."""
    record = run.record
    lines: Lines = [("epoch", "train loss", "dev loss", "dev F1", "learning rate", "")]
    for epoch in record.curve:
        numbers = (f"{epoch.train_loss:.4f}", f"{epoch.dev_loss:.4f}", f"{epoch.dev_f1:.3f}")
        best = "best" if epoch.epoch == record.best_epoch else ""
        lines.append((str(epoch.epoch), *numbers, f"{epoch.learning_rate:g}", best))
    return lines


def dev_and_files(run: Run) -> Lines:
    """Return dev weighted F1 in every context of the arm, from the saved predictions, and the run's files."""
    lines: Lines = [
        (f"dev F1, {context} inference", f"{run.f1(context, 'dev'):.3f}") for context in run.record.arm.contexts
    ]
    return lines + [(path.name, in_bytes(path.stat().st_size)) for path in sorted(run.folder.iterdir())]


def in_bytes(number: int) -> str:
    """Return a file size with a unit, as in ``1.5 MB``."""
    for size, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if number >= size:
            return f"{number / size:.1f} {unit}"
    return f"{number} B"


def _values(content: Mapping[str, Any]) -> str:
    """Return nested values as text, as in ``a 1, b.c 2``."""
    words = []
    for key, value in content.items():
        if isinstance(value, dict):
            words += [f"{key}.{word}" for word in _values(value).split(", ")]
        else:
            words.append(f"{key} {'/'.join(map(str, value)) if isinstance(value, list | tuple) else value}")
    return ", ".join(words)
