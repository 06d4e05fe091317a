"""Try the bundle of the package: on files, on a microphone in the terminal, and as a page for a browser."""
