"""What context extractors declare about themselves, one module each; none of these modules imports torch."""
