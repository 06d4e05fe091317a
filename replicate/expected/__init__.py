"""Expected results as data, and whether a results folder agrees with them and with itself (not in the paper)."""
