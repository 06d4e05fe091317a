import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from replicate.store.run import Run
from replicate.store.store import Store


@pytest.fixture(scope="session")
def runs(smoke_out) -> dict[str, Run]:
    """One complete run of each arm, by name."""
    store = Store(smoke_out / "runs")
    found = map(store.get, store.keys())
    return {run.record.arm.name: run for run in found}


@pytest.fixture(scope="session")
def prediction_schema() -> Draft202012Validator:
    """The documented shape of predictions as JSON."""
    schema = json.loads((Path(__file__).parents[2] / "docs" / "prediction.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)
