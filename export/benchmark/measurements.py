"""What a benchmark measures: latencies; score, size and memory of each engine; and the machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from export.benchmark.flops import NodeTime


@dataclass(frozen=True)
class Shape:
    """Size of an input: dialogues in the batch, utterances in each dialogue."""

    batch: int
    utterances: int

    @property
    def rows(self) -> int:
        """Utterances of the whole batch."""
        return self.batch * self.utterances


@dataclass(frozen=True)
class Place:
    """Where a model runs: on the CPU with a number of threads, or on a CUDA device (threads None)."""

    device: str
    threads: int | None = None

    def __str__(self) -> str:
        if self.threads is None:
            return "GPU"
        return f"{self.threads} thread{'s' if self.threads > 1 else ''}"


@dataclass(frozen=True)
class Timing:
    """Latency of one engine for one input shape: percentiles over ``n`` calls, in milliseconds per call.

    Attributes:
        share_of_peak: operations per second in products with weights, divided by the peak speed that was measured
            between the calls; None except for onnxruntime in 32 bits and its lower bound.
    """

    engine: str
    place: Place
    batch: int
    utterances: int
    p50: float
    p90: float
    p99: float
    n: int
    share_of_peak: float | None = None

    @property
    def per_second(self) -> float:
        """Utterances per second at the median latency."""
        return self.batch * self.utterances / self.p50 * 1e3


@dataclass(frozen=True)
class EngineSummary:
    """What a benchmark shows about an engine on a device besides its latency.

    Attributes:
        missing: why it could not be timed, or None.
        megabytes: size of its file.
        longest, peak_megabytes: memory for a dialogue of ``longest`` utterances; see ``export.benchmark.memory``.
    """

    engine: str
    device: str
    missing: str | None
    test_f1: float | None = None
    megabytes: float | None = None
    longest: int = 0
    peak_megabytes: float | None = None


@dataclass(frozen=True)
class Setup:
    """The model and the machine of a benchmark.

    Attributes:
        flops: operations for each utterance, in products with weights.
        profiles: where onnxruntime spends its time, by the utterances of one dialogue.
        failures: for each engine that could not be timed for some shapes, a sentence with the reason.
    """

    bundle: str
    run: str
    arm: str
    seed: int
    corpus: str
    flops: int
    profiles: Mapping[int, Sequence[NodeTime]]
    processor: str
    cores: int | None
    gpu: str | None
    trained_with: dict[str, Any]
    versions: dict[str, str]
    failures: Sequence[str] = ()


def to_json(timings: Sequence[Timing], engines: Sequence[EngineSummary], setup: Setup) -> dict[str, Any]:
    """Return the content of ``benchmark.json``."""
    return {
        **asdict(setup),
        "milliseconds": [_flat(timing) for timing in timings],
        "engines": [asdict(engine) for engine in engines],
    }


def _flat(timing: Timing) -> dict[str, Any]:
    values = asdict(timing)
    place = values.pop("place")
    return {"engine": values.pop("engine"), **place, **values, "utterances_per_second": round(timing.per_second, 1)}
