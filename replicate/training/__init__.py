"""Training of one run: its definition (``arm``, ``config``), the loop, masking, distillation methods and metrics."""
