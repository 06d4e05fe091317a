"""What the card says of the files' costs is what the files and the extractor have."""

import re

from export.benchmark.flops import flops
from export.bundle import files_section
from replicate.features.acoustic import FRAME, HOP, PITCH_FRAME, Acoustic
from replicate.features.audio import RATE
from replicate.model.context.transformer import encoder_heads


def test_the_operations_of_model_and_extractor_are_stated(wav_bundle, acoustic_run):
    text = files_section.section(wav_bundle.folder, acoustic_run.record.model)
    model, extractor = re.search(r"makes ([\d,]+) multiply-adds .* extractor (\d+) million", text).groups()
    assert int(model.replace(",", "")) == flops(wav_bundle.folder / "model.onnx") // 2 > 1000
    table = dict(Acoustic().named_buffers())
    frames = RATE // HOP
    products = ("bands", "cosines", "correlation")
    expected = frames * (2 * len(table["bins"]) * FRAME + 2 * len(table["harmonics"]) * PITCH_FRAME)
    expected += table["lowpass"].numel() * RATE // 4 + frames * sum(table[name].numel() for name in products)
    assert int(extractor) == round(expected / 1e6)
    assert "any runtime takes them" not in text


def test_memory_is_that_of_the_heads_of_a_layer(smoke_bundle, runs):
    config = runs["COGMEN-A"].record.model
    text = files_section.section(smoke_bundle.folder, config)
    heads = config.encoder_heads or encoder_heads(config.encoder_width)
    assert f"{heads * 4}.0 MB for 1,000 utterances" in text and f"{heads * 0.04:.1f} MB for 100 and" in text
    assert "extractor" not in text and "replicate export onnx --portable" in text
