"""``python -m replicate`` is the same as ``replicate``."""

from replicate.cli import main

if __name__ == "__main__":
    main()
