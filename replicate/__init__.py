"""Replication of "Bridging Modalities" (arXiv 2401.03000): train with audio and video, deploy with audio alone.

The functions of the Python API are loaded when they are first used, because torch is slow to import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from replicate.api import export, load_corpus, table, train

__version__ = "0.1.0"
__all__ = ["__version__", "export", "load_corpus", "table", "train"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from replicate import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
