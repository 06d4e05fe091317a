"""One run from seed to checkpoint (``run``), the masks it draws (``masking``), and the numbers it is judged by."""
