"""Replication of "Bridging Modalities" (arXiv 2401.03000): train with audio and video, deploy with audio alone."""

__version__ = "0.1.0"
