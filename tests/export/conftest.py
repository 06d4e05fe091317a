import pytest

from replicate.store.run import Run
from replicate.store.store import Store


@pytest.fixture(scope="session")
def runs(smoke_out) -> dict[str, Run]:
    """One complete run of each arm, by name."""
    store = Store(smoke_out / "runs")
    found = map(store.get, store.keys())
    return {run.record.arm.name: run for run in found}
