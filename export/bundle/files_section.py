"""The section of a model card on its files: what each takes, needs and costs."""

from __future__ import annotations

from pathlib import Path

import onnx

from export.benchmark.flops import extractor_flops, flops
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
    costs = [_memory(config.encoder_heads or encoder_heads(config.encoder_width)), _operations(folder)]
    if not portable:
        costs.append("`replicate export onnx --portable` writes all files so that any runtime takes them.")
    return f"{table}\n\n{' '.join(costs)}"


def _memory(heads: int) -> str:
    """State the memory of one layer's attention scores."""
    short, long = (f"{heads * utterances**2 * 4 / 1e6:.1f}" for utterances in (100, 1000))
    return (
        "Files for any runtime are of ONNX's own operators alone: they hold the scores of attention between all "
        f"utterances of a dialogue, up to {short} MB for 100 and {long} MB for 1,000 utterances, where onnxruntime's "
        "own operator needs no such memory and is faster on long dialogues (`replicate benchmark BUNDLE --peers` times "
        "both, for a bundle that was exported without `--portable`)."
    )


def _operations(folder: Path) -> str:
    text = f"For each utterance the model makes {flops(folder / MODEL) // 2:,} multiply-adds with its weights"
    if (folder / WAV).is_file():
        text += f", and the extractor {extractor_flops() / 2e6:.0f} million for each second of sound"
    return f"{text}; those of attention between utterances are not counted."
