"""Measure the speed, memory and accuracy of an exported model against PyTorch."""
