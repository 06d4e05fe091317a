import pytest

from replicate.experiment.store import Store, StoredRun


@pytest.fixture(scope="session")
def runs(smoke_out) -> dict[str, StoredRun]:
    """One finished run of each arm, by name."""
    store = Store(smoke_out / "runs")
    found = [store.get(folder.name) for folder in sorted(store.root.iterdir())]
    return {run.record["arm"]["name"]: run for run in found}
