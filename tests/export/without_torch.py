"""A program that begins with this cannot import torch, nor the modules that replace ``BLOCKED``."""

WITHOUT_TORCH = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"torch", "torch_geometric", "onnx"} | BLOCKED:
            raise ImportError(name)
sys.meta_path.insert(0, Refuse())
"""
