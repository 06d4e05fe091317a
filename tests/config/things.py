"""A registry for plugins of tests; quick to import in a process of its own."""

from replicate.registry import Registry

THINGS: Registry[type] = Registry("thing", "tests.config", "replicate.things")
THINGS._builtin_loaded = True  # the folder of tests holds none
