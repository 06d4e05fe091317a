"""From a trained run to a file that people deploy: pick it, write ONNX, check it, predict with it, time it.

``export.Predictor`` needs numpy and onnxruntime alone.
"""

from export.predictor import BadBundle, BadInput, DialogueFeatures, Prediction, Predictor, Stream

__all__ = ["BadBundle", "BadInput", "Prediction", "Predictor", "DialogueFeatures", "Stream"]
