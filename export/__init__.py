"""From a trained run to a file that people deploy: pick it, write ONNX, check it, time it."""
