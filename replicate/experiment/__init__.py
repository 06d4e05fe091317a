"""What a command trains (``plan``), where and how (``context``), sweeps, and the manifest of a results folder."""
