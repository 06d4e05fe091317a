import click


@click.command()
def benchmark() -> None:
    """x."""
