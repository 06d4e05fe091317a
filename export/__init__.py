"""Export a trained run as a bundle of ONNX files, check it against PyTorch, predict with it and measure its speed.

The names below need numpy and onnxruntime only, not PyTorch.
"""

from export.predictor import BadBundle, BadInput, DialogueFeatures, Distance, Prediction, Predictor, Stream

__all__ = ["BadBundle", "BadInput", "DialogueFeatures", "Distance", "Prediction", "Predictor", "Stream"]
