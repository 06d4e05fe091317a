"""The section of a model card on its files: what each takes, needs and costs."""

from __future__ import annotations

from pathlib import Path

import onnx

from export.bundle_files import INT8, MODEL, STREAM, WAV, WAV_STREAM
from export.limited_session import ONNXRUNTIME
from export.onnx.builder import OPSET
from replicate import grids
from replicate.model.config import ModelConfig
from replicate.model.context.transformer import encoder_heads

_TAKES = {
    MODEL: "features of whole dialogues",
    INT8: "the same, weights of 8 bits",
    STREAM: "features, utterance by utterance",
    WAV: "waveforms of a dialogue, 16 kHz",
    WAV_STREAM: "waveforms, utterance by utterance",
}


def section(folder: Path, config: ModelConfig) -> str:
    """List the model files of a bundle that is being written. Size and needs are read from the files themselves."""
    lines, portable = [], True
    for name, takes in _TAKES.items():
        if not (folder / name).is_file():
            continue
        alone = {node.domain for node in onnx.load(folder / name).graph.node} <= {"", "ai.onnx"}
        portable = portable and alone
        needs = f"any runtime with opset {OPSET}" if alone else f"onnxruntime {ONNXRUNTIME} or newer"
        lines.append((f"`{name}`", takes, f"{(folder / name).stat().st_size / 1e6:.2f} MB", needs))
    table = "\n".join(grids.markdown(("file", "takes", "size", "needs"), lines))
    # Of a dialogue of 1,000 utterances: the scores of one layer, which a portable graph holds in memory.
    heads = config.encoder_heads or encoder_heads(config.encoder_width)
    return f"{table}\n\n{_costs(portable, heads)}"


def _costs(portable: bool, heads: int) -> str:
    scores = heads * 1000**2 * 4 / 1e6
    return (
        "Files for any runtime are of ONNX's own operators alone. They hold the scores of attention between all "
        f"utterances of a dialogue, up to {scores:.0f} MB for 1,000 utterances, where onnxruntime's own operator needs "
        "no such memory; how much longer that takes is in the package's docs/benchmark.md."
        + ("" if portable else " `replicate export onnx --portable` writes all files so.")
    )
