"""An empty argument, such as a shell variable that is not set, is a mistake and not the current folder."""

import pytest

import replicate as package
from replicate.errors import InvalidArgument


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (["run", "table2", "--profile", "smoke", "--dry-run", "--store", ""], " after --store"),
        (["run", "table2", "--profile", "smoke", "--dry-run", "--store="], " after --store"),
        (["run", "table2", "--profile", "smoke", "--dry-run", "--out", ""], " after --out"),
        (["runs", "prune", "--store", "", "--yes"], " after --store"),
        (["report", "--results="], " after --results"),
        (["data", "info", ""], ""),
    ],
)
def test_an_empty_argument_is_refused(replicate, tmp_path, monkeypatch, arguments, option):
    monkeypatch.chdir(tmp_path)
    status, stdout, stderr = replicate(*arguments)
    assert (status, stdout) == (2, "") and f"an argument{option} is empty" in stderr
    assert list(tmp_path.iterdir()) == []


def test_an_empty_store_is_refused_in_python(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidArgument, match="store = '' is empty"):
        package.table("table2", profile="smoke", store="")
    assert list(tmp_path.iterdir()) == []
