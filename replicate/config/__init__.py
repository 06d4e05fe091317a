"""Typed definitions read from TOML: arms, tables, protocols, profiles, claims, figures and grids of sweeps."""
