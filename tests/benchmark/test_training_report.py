import csv

import pytest

from replicate.benchmark import training_report as training
from replicate.benchmark.training import Machine, Measured, Point

MACHINE = Machine("a processor", 1e11)


@pytest.fixture
def measured():
    sizes = (10, 100, 1000, 10_000)
    found = [Measured(Point("dialogues", size), size / 100, 50 + size / 10, 5e10) for size in sizes]
    return [
        *found,
        Measured(Point("jobs", jobs=2), 0.25, 90.0, 1.5e11),
        Measured(Point("graph", 1, 50), 0.5, 1.0, None),
    ]


def test_the_table_shows_the_measurements(measured):
    text = training.markdown(measured, MACHINE)
    assert "| 10,000 | 100 | 0.500 | 1,050 | 50 | 0.50 |" in text
    assert "time to the power 1.00, memory to the power" in text
    # GFLOP/s of all processes, and their share of the peak of as many cores.
    assert "| 2 | 0.25 | 0.125 | 90 | 150 | 0.75 |" in text
    assert "| 50 | 0.5 | 10.000 | 1 |  |  |" in text
    assert "seeds" not in text


def test_all_files_are_written(measured, tmp_path):
    training.write(measured, MACHINE, tmp_path)
    with (tmp_path / "training.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert [line["curve"] for line in lines] == ["dialogues"] * 4 + ["jobs", "graph"]
    assert float(lines[3]["seconds"]) == 100 and lines[5]["flops_per_second"] == ""
    assert (tmp_path / "training.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "training.md").read_text() == training.markdown(measured, MACHINE)
