"""What a context extractor declares about itself, and the names of all extractors; without torch.

Arms are checked, and keys of runs computed, with these declarations alone. The extractors themselves are in
``replicate.model.context``, whose modules are imported when a model is built.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, TypeVar

from replicate.errors import BadPlugin
from replicate.registry import Registry


class ExtractorTraits:
    """What a context extractor declares about itself. An extractor inherits it from ``Extractor``.

    Attributes:
        stackable: whether models that differ in their seeds can be stacked into one (``replicate.model.seed_stack``):
            ``packed`` then uses the layers of ``seed_layers`` only.
        exportable: whether the ``export`` package can write it as ONNX.
        uses_memory: whether a causal extractor of this class depends on ``ModelConfig.memory``.
        can_attend_padding: whether the class supports ``ModelConfig.attend_padding``.
        per_stream: whether the class takes the streams apart itself, by ``ModelConfig.stream_widths``, of which there
            must be two or more; its arms have ``fusion = "late"``.
        implemented_by: "MODULE:CLASS" of the extractor, if it is another class than this one
            (``replicate.registry.implementation``).
    """

    stackable: ClassVar[bool] = False
    exportable: ClassVar[bool] = False
    uses_memory: ClassVar[bool] = False
    can_attend_padding: ClassVar[bool] = False
    per_stream: ClassVar[bool] = False
    implemented_by: ClassVar[str] = ""


E = TypeVar("E", bound=ExtractorTraits)

EXTRACTORS: Registry[type[ExtractorTraits]] = Registry(
    "context extractor", "replicate.model.extractors", "replicate.context"
)


def register(name: str) -> Callable[[type[E]], type[E]]:
    """Register a context extractor under a name (class decorator); ``context = "name"`` in an arm selects it.

    Raises:
        BadPlugin: another extractor has this name.
    """

    def add(extractor: type[E]) -> type[E]:
        EXTRACTORS.register(name)(extractor)
        return extractor

    return add


def extractor_traits(name: str, where: str = "") -> type[ExtractorTraits]:
    """Return what a context extractor declares; ``where`` is the file and key that name it, for messages.

    Raises:
        InvalidDefinition: no extractor has this name. BadPlugin: the class with this name is not an ``Extractor``.
    """
    found = EXTRACTORS.get(name, where)
    if not (isinstance(found, type) and issubclass(found, ExtractorTraits)):
        raise BadPlugin(f"plugin {EXTRACTORS.module(name)}: {name!r} is no subclass of Extractor")
    return found
