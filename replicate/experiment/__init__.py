"""From tables to numbers: definitions (TOML), schedule, run store, statistics."""
