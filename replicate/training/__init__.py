"""Training one run: what it consists of (``config``), the loop (``loop``), distillation, masking, metrics."""
