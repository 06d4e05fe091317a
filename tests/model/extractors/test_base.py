"""Built-in extractors inherit what is declared without torch, so that nothing is declared twice."""

import pytest

from replicate.errors import BadPlugin
from replicate.model.context.base import Extractor, context_extractor
from replicate.model.extractors.base import EXTRACTORS, ExtractorTraits, extractor_traits, register
from replicate.registry import temporary

BUILT_IN = [name for name in EXTRACTORS.names() if EXTRACTORS.module(name).startswith("replicate.")]


@pytest.mark.parametrize("name", BUILT_IN)
def test_an_extractor_inherits_its_declaration(name):
    traits, extractor = extractor_traits(name), context_extractor(name)
    assert issubclass(extractor, traits) and issubclass(extractor, Extractor)
    own = (vars(cls).keys() for cls in extractor.__mro__ if issubclass(cls, Extractor))
    assert not set(ExtractorTraits.__annotations__) & set().union(*own)


def test_a_class_that_inherits_from_a_built_in_one_is_its_own_implementation():
    with temporary():

        @register("mine")
        class Mine(context_extractor("transformer")):
            exportable = False

        assert context_extractor("mine") is Mine and extractor_traits("mine").uses_memory and not Mine.exportable


def test_a_declaration_alone_is_no_extractor():
    with temporary():
        register("mine")(type("Mine", (ExtractorTraits,), {}))
        with pytest.raises(BadPlugin, match="'mine' is no subclass of Extractor"):
            context_extractor("mine")
