"""The declaration of ``replicate.model.context.s4d``."""

from replicate.model.extractors.base import ExtractorTraits, register


@register("ssm")
class StateSpaceTraits(ExtractorTraits):
    """What S4D declares."""

    implemented_by = "replicate.model.context.s4d:StateSpace"
