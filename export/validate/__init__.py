"""Checks of exported files against the PyTorch model and against each other."""
