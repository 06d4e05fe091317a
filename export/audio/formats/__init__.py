"""Timelines in the formats of annotation programs, players and tables: a module for each family."""
