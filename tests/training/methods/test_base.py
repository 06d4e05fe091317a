"""Built-in methods inherit what is declared without torch, so that nothing is declared twice."""

import pytest

from replicate.training.distillation.base import DistillationMethod, method_class
from replicate.training.methods import METHODS, MethodTraits

BUILT_IN = [name for name in METHODS.names() if METHODS.module(name).startswith("replicate.")]
DECLARED = {*MethodTraits.__annotations__, "auxiliary_streams", "model_heads", "check"}


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_method_inherits_its_declaration(name):
    settings = METHODS.get(name)()
    method = method_class(settings)
    assert issubclass(method, settings.traits) and issubclass(method, DistillationMethod) and settings.method == name
    own = (vars(cls).keys() for cls in method.__mro__ if issubclass(cls, DistillationMethod))
    assert not DECLARED & set().union(*own)
