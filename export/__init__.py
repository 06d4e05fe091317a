"""From a trained run to a file that people deploy: pick it, write ONNX, check it, predict with it, time it.

``export.Predictor`` needs numpy and onnxruntime alone.
"""

from export.predictor import BadBundle, BadInput, Prediction, Predictor, Spoken, Stream

__all__ = ["BadBundle", "BadInput", "Prediction", "Predictor", "Spoken", "Stream"]
