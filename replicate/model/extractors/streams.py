"""The declarations of ``replicate.model.context.streams``."""

from replicate.model.extractors.base import ExtractorTraits, register


class PerStreamTraits(ExtractorTraits):
    """What both extractors declare."""

    per_stream = True


@register("streams")
class StreamsTraits(PerStreamTraits):
    """What the plain extractor declares."""

    implemented_by = "replicate.model.context.streams:Streams"


@register("decoupled-streams")
class DecoupledStreamsTraits(PerStreamTraits):
    """What DMD's extractor declares."""

    implemented_by = "replicate.model.context.streams:DecoupledStreams"
