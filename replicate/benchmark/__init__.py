"""Measure what training costs: curves of time and memory, and traces of an epoch."""
