"""The declaration of ``replicate.model.context.transformer``."""

from replicate.model.extractors.base import ExtractorTraits, register


@register("transformer")
class TransformerTraits(ExtractorTraits):
    """What the transformer declares."""

    stackable = True
    exportable = True
    uses_memory = True
    can_attend_padding = True
    implemented_by = "replicate.model.context.transformer:TransformerExtractor"
