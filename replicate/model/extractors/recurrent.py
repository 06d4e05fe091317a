"""The declarations of ``replicate.model.context.recurrent``."""

from replicate.model.extractors.base import ExtractorTraits, register


@register("gru")
class GruTraits(ExtractorTraits):
    """What the GRU declares."""

    implemented_by = "replicate.model.context.recurrent:Gru"


@register("lstm")
class LstmTraits(ExtractorTraits):
    """What the LSTM declares."""

    implemented_by = "replicate.model.context.recurrent:Lstm"
